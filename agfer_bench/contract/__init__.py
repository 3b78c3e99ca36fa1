"""The contract of attention blocks: what a block must keep to be trained and compared.

`checks.REQUIRED` decides whether a block is sound; `checks.INFORMATIONAL` says what else it can do.
"""
