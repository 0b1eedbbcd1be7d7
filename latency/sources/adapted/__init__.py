"""Tables of a phone that nobody measured by kernel: tables of known phones, corrected by timings."""
