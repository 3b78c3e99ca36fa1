"""The paper's report with a classifier of its own: only where it has numbers."""

from __future__ import annotations

import pandas as pd

from agfer_bench.records.run import ModuleRecord
from agfer_bench.report.paper.document import Plate, Section, Table
from agfer_bench.report.paper.efficiency import efficiency_section
from agfer_bench.report.paper.fitting import fitting_section, overfit_section
from tests.report.studies import study, usual


def _classifier(like: ModuleRecord) -> ModuleRecord:
    """Return a classifier that judged as a network did."""
    lacking = dict.fromkeys(
        ("channel_mean", "channel_std", "peak_memory_bytes", "peak_memory_method", "execution")
    )
    lacking |= dict.fromkeys(("host_weights_sha256", "batch_order_sha256"))
    changes = {**lacking, "history": (), "fit_seconds": 90.0}
    folds = [type(fold).model_validate(fold.model_dump() | changes) for fold in like.folds]
    content = like.model_dump() | {"kind": "classifier", "label": "hog-svm", "folds": folds}
    return ModuleRecord.model_validate(content | {"size": None, "speed": None})


def _data(section: Section) -> dict[str, pd.DataFrame]:
    items = [item for item in section.items if isinstance(item, Table | Plate)]
    return {item.name: item.data for item in items if item.data is not None}


def test_it_stands_where_it_has_numbers() -> None:
    record = usual()
    modules = (*record.modules, _classifier(record.modules[1]))
    whole = study(record.model_copy(update={"modules": modules}))
    networks = ["base", "agfer", "cbam"]
    efficiency = _data(efficiency_section(whole))
    times = efficiency["efficiency-times"].set_index("module")
    assert list(times.index) == [*networks, "hog-svm"]
    assert times.loc["hog-svm", "training_minutes_mean"] == 1.5
    for column in ("hz", "latency_median_ms", "peak_memory_bytes"):
        assert times[column].isna().tolist() == [False, False, False, True]
    assert efficiency["efficiency-sizes"]["parameters"].isna().tolist() == [False] * 3 + [True]
    assert _data(overfit_section(whole))["over-fit"]["module"].tolist() == [*networks, "hog-svm"]
    fitting = _data(fitting_section(whole))
    assert set(fitting["fitting-speed"]["module"]) == set(networks)
    assert set(fitting["learning-curves"]["module"]) == set(networks)
