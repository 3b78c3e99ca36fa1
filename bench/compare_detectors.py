"""What two ways to find faces lose, how far their crops agree, and how long they take.

    python -m bench.compare_detectors yunet=FILE.onnx image-folder=../shared/data/london ...

Every photograph is read whole and goes through the paper's cascades and the detector, on one
thread, one after the other. Crops agree by their intersection over union (IoU), of the photographs
that both keep. Times are of finding alone, without reading; the table in docs/detectors.md is this
program's.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.crops import Box, NoCrop, find_crop
from agfer_bench.faces.decode import Pixels, Unreadable, decode
from agfer_bench.faces.detector import Detector, choose_detector
from agfer_bench.faces.table import read_table
from agfer_bench.plugin.catalogue import Catalogue
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import parse_choice
from agfer_bench.plugin.specs import Place


@dataclass
class Outcome:
    """What one way to find faces made of a set."""

    boxes: list[Box | None] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, rgb: Pixels, finder: Cascades | Detector) -> None:
        started = time.perf_counter_ns()
        try:
            box: Box | None = find_crop(rgb, finder).crop
        except NoCrop as error:
            self.reasons[error.reason] += 1
            box = None
        self.milliseconds.append((time.perf_counter_ns() - started) / 1e6)
        self.boxes.append(box)


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in (first, second)])
    sides = np.clip(corners[:, 2:].min(0) - corners[:, :2].max(0), 0, None)
    inside = float(np.prod(sides))
    return inside / (first[2] * first[3] + second[2] * second[3] - inside)


def compare(catalogue: Catalogue, data: str, detector: Detector) -> list[str]:
    """Return the rows of the table for one set."""
    choice = parse_choice(data, folder=True)
    chosen = catalogue.choose_dataset(choice)
    folder = Path(choice.folder or "")
    table = read_table(chosen, Place(folder=folder, cache=folder), catalogue.datasets)
    finders: dict[str, Cascades | Detector] = {
        "cascades": Cascades.load(None),
        detector.chosen.label: detector,
    }
    outcomes = {name: Outcome() for name in finders}
    unreadable = 0
    for image in table.images:
        try:
            rgb = decode(image.path.read_bytes())
        except Unreadable:
            unreadable += 1
            continue
        for name, finder in finders.items():
            outcomes[name].add(rgb, finder)
    first, second = outcomes.values()
    pairs = list(zip(first.boxes, second.boxes, strict=True))
    both = [(a, b) for a, b in pairs if a and b]
    overlaps = np.array([overlap(a, b) for a, b in both])
    alone = [
        sum(a is not None and b is None for a, b in pairs),
        sum(a is None and b is not None for a, b in pairs),
    ]
    rows = []
    for name, outcome in outcomes.items():
        photographs = len(outcome.boxes)
        lost = sum(outcome.reasons.values())
        reasons = ("no face", "no eye", "no mouth", "degenerate")
        cells = [Path(folder).name, name, str(photographs), f"{lost} ({lost / photographs:.1%})"]
        cells += [str(outcome.reasons[reason]) for reason in reasons]
        cells.append(f"{np.median(outcome.milliseconds):.1f}")
        rows.append(f"| {' | '.join(cells)} |")
    quartiles = np.quantile(overlaps, [0.05, 0.25, 0.5, 0.75])
    rows.append(
        f"{folder.name}: {len(both)} photographs in both; IoU median {quartiles[2]:.2f}, quarters "
        f"{quartiles[1]:.2f} to {quartiles[3]:.2f}, 5 % below {quartiles[0]:.2f}, "
        f"{(overlaps < 0.3).sum()} below 0.3; kept by the cascades alone {alone[0]}, by the "
        f"detector alone {alone[1]}; unreadable {unreadable}"
    )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detector", help="as for --detector")
    parser.add_argument("data", nargs="+", help="as for --data")
    asked = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    catalogue = load_catalogue()
    detector = choose_detector(catalogue, asked.detector)
    if detector is None:
        parser.error("name a detector of a plugin")
    print(f"OpenCV {cv2.__version__}, {detector.crop}")  # noqa: T201
    for data in asked.data:
        print("\n".join(compare(catalogue, data, detector)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
