"""Inference times of several modules side by side, each repeat in a process of its own."""
