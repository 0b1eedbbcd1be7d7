"""Drawing for pages: markup, scales and plots as SVG."""
