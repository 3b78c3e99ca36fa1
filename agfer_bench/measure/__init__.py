"""Judging a network: accuracy, size, speed, memory."""
