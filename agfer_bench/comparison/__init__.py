"""Modules compared: what stands in one ranking, which differences are real, gates for CI."""
