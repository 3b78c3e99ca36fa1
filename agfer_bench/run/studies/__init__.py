"""Studies: several runs, or a run of blocks chosen for it, and what they say together."""
