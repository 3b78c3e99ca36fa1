"""Fitting a network to one fold."""
