"""The verb ``dnas doctor``: what this installation and machine have, and what is missing for what."""
