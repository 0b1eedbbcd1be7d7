"""The verb ``dnas space``: write, check, show and compare search spaces. See docs/spaces.md."""
