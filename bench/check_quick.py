"""Check that the default run did what it promises; used by CI.

Every network's mean accuracy is at least three points above that of `linear`, which has no network,
and no fold predicts a single class.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from agfer_bench.records.files import load_run


def main(folder: Path) -> int:
    """Return how many promises are broken, each said in a line."""
    record = load_run(folder)
    means = {one.label: float(np.mean(one.accuracies)) for one in record.modules if not one.error}
    bar = means.get("linear", 1.0) + 0.03
    broken = 0
    for module in record.modules:
        if module.kind == "classifier" and module.error is None:
            continue
        mean = means.get(module.label, 0.0)
        stuck = list(module.single_class_folds)
        good = mean > bar and not stuck
        broken += not good
        sign = "ok" if good else "BROKEN"
        sys.stdout.write(f"{sign}: {module.label} {mean:.3f} (bar {bar:.3f}), stuck {stuck}\n")
    return broken


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
