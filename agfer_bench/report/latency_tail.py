"""A warning where single images took far longer than their median says."""

from __future__ import annotations

from agfer_bench.records.timing import ModeRecord
from agfer_bench.report.numbers import number

TAIL = 3.0
"""A 95th percentile of so many medians is told.

On quiet machines it is 1.05 to 1.3 medians (the records in results/published). At 3, one image in
twenty takes as long as three: no scatter of the network, but something that holds it up.
"""


def tail_note(name: str, mode: ModeRecord) -> list[str]:
    """Return a sentence where the 95th percentile is `TAIL` medians or more, else nothing.

    Args:
        name: What stands before it: the module, and how it was run.
        mode: Its times.
    """
    median, p95 = mode.median_ms, mode.p95_ms
    if p95 < TAIL * median:
        return []
    return [
        f"{name}: 1 image in 20 took {number(p95, 2)} ms or longer, {p95 / median:.1f} times the "
        f"median of {number(median, 2)} ms. Something held these passes up, so the median and Hz "
        "are not what can be relied on; measure on a quiet machine."
    ]
