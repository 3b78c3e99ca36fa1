"""Checks of options: timm itself answers with an assertion, or builds something else."""

from __future__ import annotations

from agfer_bench import UserError


def at_least(minimum: int, option: str, value: int) -> None:
    """Check an option's value.

    Raises:
        UserError: It is below the minimum.
    """
    if value < minimum:
        raise UserError(f"{option} must be at least {minimum}, not {value}")


def odd(option: str, value: int) -> None:
    """Check the side of a kernel: with an even one a map would change its size.

    Raises:
        UserError: It is even, or below 1.
    """
    if value < 1 or value % 2 == 0:
        raise UserError(f"{option} must be an odd number of at least 1, not {value}")
