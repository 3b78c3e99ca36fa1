"""The console that all commands print with: what it shows acts on no terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from agfer_bench.text import visible


class SafeConsole(Console):
    """Rich's console, with escapes for what a terminal would obey.

    Names of files, labels of plugins, notes of records and errors of libraries may hold anything.
    Here, where text becomes output, none is missed.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of what is printed; cursor movements of rich's own stay."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)
