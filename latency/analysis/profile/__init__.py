"""What every choice of every layer does to the latency of whole networks on one device.

After "Profiling Neural Blocks and Design Spaces for Mobile Neural Architecture Search" (Mills et al., CIKM
2021, arXiv 2109.12426).
"""
