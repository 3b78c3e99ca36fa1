"""One training: a network or a classifier on one fold, judged and written down."""
