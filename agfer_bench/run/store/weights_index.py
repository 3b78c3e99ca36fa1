"""Where the weights of a run's trainings are: a list in its folder, for whoever looks there."""

from __future__ import annotations

import json
import os
from pathlib import Path

from agfer_bench.files import write_text
from agfer_bench.records.run import RunRecord
from agfer_bench.run.store.store import Store

LIST = "weights.json"


def list_weights(record: RunRecord, folder: Path, store: Store) -> None:
    """Write which file holds the weights of which training, relative to the run's folder.

    Without any weights there is no list.

    Raises:
        UserError: The folder cannot be written.
    """
    found = [
        {
            "module": module.label,
            "fold": fold.fold,
            "seed": record.protocol.of_seed(number).seed,
            "file": Path(os.path.relpath(path, folder)).as_posix(),
        }
        for module in record.modules
        for number, folds in enumerate(module.seeds)
        for fold in folds
        if (path := store.weights(fold.job)) is not None
    ]
    if found:
        write_text(folder / LIST, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    else:
        (folder / LIST).unlink(missing_ok=True)
