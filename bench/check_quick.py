"""Check that the default run did what it promises; used by CI.

Every network's mean accuracy is at least three points above that of `linear`, which has no network,
and hardly a training predicts a single class. Trainings scatter, and another machine rounds in
another way: the promise counts as broken where the upper end of the mean's 95 % interval over
trainings stays below the bar, or where trainings of more than one fold predict a single class. The
mean itself is printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy import stats

from agfer_bench.records.files import load_run
from agfer_bench.records.run import ModuleRecord


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
        good = module.error is None and _upper(module) > bar and len(set(stuck)) < 2
        broken += not good
        sign = "ok" if good else "BROKEN"
        below = " (below the bar, by less than trainings scatter)" if good and mean <= bar else ""
        sys.stdout.write(
            f"{sign}: {module.label} {mean:.3f} (bar {bar:.3f}){below}, stuck {stuck}\n"
        )
    return broken


def _upper(module: ModuleRecord) -> float:
    """Return the upper end of the mean's 95 % interval over all trainings."""
    found = [fold.accuracy for fold in module.trainings]
    error = float(stats.sem(found))
    return float(np.mean(found)) + float(stats.t.ppf(0.975, len(found) - 1)) * error


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
