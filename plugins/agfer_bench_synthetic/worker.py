"""Draws one share of the data set: `python -m agfer_bench_synthetic.worker`, see `drawing.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from agfer_bench_synthetic.drawing import DRAWN, FAILED, draw_share
from agfer_bench_synthetic.layouts import ORDERS


def main(arguments: list[str]) -> int:
    """Draw; one line on standard output for each image."""
    root, layout, options, share, shares = arguments
    order = ORDERS[layout](**json.loads(options))
    try:
        for _ in draw_share(order, Path(root), share=int(share), shares=int(shares)):
            _say(DRAWN)
    except OSError as error:
        _say(f"{FAILED}{error.errno or 0}")
        return 1
    return 0


def _say(line: str) -> None:
    # One write for each line, so that those of several workers do not mix.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # OpenCV's own threads would compete with the other workers.
    import cv2

    cv2.setNumThreads(1)
    sys.exit(main(sys.argv[1:]))
