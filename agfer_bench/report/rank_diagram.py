"""A critical-difference diagram: mean ranks on an axis, bars over those that do not differ."""

from __future__ import annotations

from pathlib import Path

from agfer_bench.comparison.ranking import Ranking
from agfer_bench.errors import UserError


def groups_of(ranking: Ranking) -> list[tuple[str, str]]:
    """Return the first and last module of each widest group within the critical difference."""
    labels = list(ranking.mean_ranks)
    ranks = ranking.mean_ranks
    found: list[tuple[int, int]] = []
    for start, first in enumerate(labels):
        near = [
            n for n in range(start, len(labels))
            if ranks[labels[n]] - ranks[first] <= ranking.critical_difference
        ]  # fmt: skip
        if near[-1] > start and (not found or near[-1] > found[-1][1]):
            found.append((start, near[-1]))
    return [(labels[start], labels[end]) for start, end in found]


def draw(ranking: Ranking, path: Path, *, drawn_faces: bool) -> None:
    """Write the diagram as a picture: SVG, PNG or PDF by the name's ending.

    Args:
        ranking: The ranks.
        path: The file.
        drawn_faces: Whether they are of drawn faces, which the picture then says.

    Raises:
        UserError: The ending is none of these, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    if path.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise UserError(f"--diagram {path}: name a file that ends in .svg, .png or .pdf")
    labels = list(ranking.mean_ranks)
    half = (len(labels) + 1) // 2
    groups = groups_of(ranking)
    top = 1.0 + 0.35 * len(groups)
    figure = Figure(figsize=(8, 0.9 + 0.28 * (half + len(groups) + 2)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(0.8, len(labels) + 0.2)
    axes.set_ylim(-half - 0.6, top + 0.8)
    axes.axis("off")
    axes.hlines(0, 1, len(labels), color="black")
    for tick in range(1, len(labels) + 1):
        axes.vlines(tick, 0, 0.12, color="black")
        axes.text(tick, 0.2, str(tick), ha="center", va="bottom", fontsize=8)
    for place, (label, rank) in enumerate(ranking.mean_ranks.items()):
        left = place < half
        line = -(place + 1) if left else -(len(labels) - place)
        end = 1.0 if left else float(len(labels))
        axes.plot([rank, rank, end], [0, line, line], color="tab:blue", linewidth=1)
        side = "right" if left else "left"
        axes.text(end, line, f" {label} ({rank:.2f}) ", ha=side, va="center", fontsize=9)
    for number, (first, last) in enumerate(groups):
        height = 0.75 + 0.35 * number
        ends = ranking.mean_ranks[first] - 0.03, ranking.mean_ranks[last] + 0.03
        axes.hlines(height, *ends, color="tab:orange", linewidth=4)
    axes.hlines(top + 0.2, 1, 1 + ranking.critical_difference, color="black", linewidth=1.5)
    axes.text(1, top + 0.3, f"critical difference {ranking.critical_difference:.2f}", fontsize=8)
    what = " of drawn (synthetic) faces" if drawn_faces else ""
    axes.set_title(
        f"Mean rank over {ranking.trainings} trainings{what}; bars join what does not differ",
        fontsize=10,
    )
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
