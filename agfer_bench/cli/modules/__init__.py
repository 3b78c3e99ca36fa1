"""`agfer-bench modules`: list, show, check, compare and create attention blocks."""
