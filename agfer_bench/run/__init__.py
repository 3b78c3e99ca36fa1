"""The work of a run: what is to do, doing it, keeping it."""
