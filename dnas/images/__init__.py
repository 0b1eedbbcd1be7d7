"""Image files: which files of a folder are images, and how every part of the library decodes them."""
