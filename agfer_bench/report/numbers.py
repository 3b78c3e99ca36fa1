"""Numbers as people read them."""

from __future__ import annotations


def percent(value: float | None, deviation: float | None = None, digits: int = 1) -> str:
    """Write a share as per cent, with its deviation if there is one.

    >>> percent(0.8919, 0.0075)
    '89.2 ± 0.8'
    """
    if value is None:
        return "–"
    text = f"{100 * value:.{digits}f}"
    return text if deviation is None else f"{text} ± {100 * deviation:.{digits}f}"


def signed(difference: float | None, deviation: float | None = None, digits: int = 1) -> str:
    """Write a difference of two shares in points, with its deviation if there is one.

    >>> signed(-0.0123, 0.004)
    '−1.2 ± 0.4'
    """
    if difference is None:
        return "–"
    text = f"{100 * difference:+.{digits}f}".replace("-", "−")
    return text if deviation is None else f"{text} ± {100 * deviation:.{digits}f}"


def number(value: float | None, digits: int) -> str:
    """Write a number, or a dash for none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def count(value: int | None) -> str:
    """Write a whole number, or a dash for none.

    >>> count(44419)
    '44,419'
    """
    return "–" if value is None else f"{value:,}"


def quantity(value: float | None, unit: str = "") -> str:
    """Write a large number with an SI prefix, or a dash for none.

    >>> quantity(15_800_000_000), quantity(2_500_000, "B")
    ('15.8 G', '2.5 MB')
    """
    if value is None:
        return "–"
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {prefix}{unit}"
    return f"{value:.0f} {unit}".strip()
