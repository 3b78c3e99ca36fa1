"""Plugins: what they hand over, how they are found, and what they may do here."""
