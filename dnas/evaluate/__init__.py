"""The verb ``dnas evaluate``: accuracy of a trained network on a folder of images. See docs/zoo.md."""
