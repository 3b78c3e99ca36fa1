"""Showing what was measured."""
