"""The verb ``dnas data``: is a folder of images fit for training? See docs/data.md."""
