"""Where jobs and runs are kept: addresses, locks, files."""
