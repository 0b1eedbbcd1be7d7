"""Tables of a phone that nobody measured by kernel: known phones' tables, corrected by timings of networks."""
