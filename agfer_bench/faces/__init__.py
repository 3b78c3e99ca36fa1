"""Photographs in, crops and folds out."""
