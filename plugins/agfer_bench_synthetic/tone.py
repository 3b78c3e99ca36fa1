"""Light and shade of a colour."""

from __future__ import annotations

from agfer_bench_synthetic.canvas import Colour


def shaded(colour: Colour, amount: float) -> Colour:
    """The colour darkened, warm in the shade as skin is; an amount below 0 lightens it."""
    red, green, blue = colour
    if amount < 0:
        return (
            red - amount * (1 - red),
            green - amount * (1 - green),
            blue - amount * (1 - blue),
        )
    return red * (1 - 0.85 * amount), green * (1 - amount), blue * (1 - 1.05 * amount)
