"""Which records stand in one ranking, and what is said of those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from agfer_bench.comparison.comparable import (
    caveats,
    check_ranked,
    ground_of,
    why_not_ranked,
    why_not_timed,
)
from agfer_bench.comparison.entrants import line_up
from agfer_bench.errors import UserError
from agfer_bench.records.run import RunRecord
from tests.report.studies import CLASSES, data, diagonal, fold, module, record


def _record(splits: tuple[str, str] = ("s0", "s1"), job: str = "j", **changes: Any) -> RunRecord:
    folds = [
        fold(n, diagonal(9, 8, 7)).model_copy(update={"split_sha256": split, "job": f"{job}{n}"})
        for n, split in enumerate(splits)
    ]
    return record([module("base", folds), module("se", folds)]).model_copy(update=changes)


def _protocol(**settings: Any) -> dict[str, Any]:
    return {"protocol": _record().protocol.model_copy(update=settings)}


def _environment(**changes: Any) -> dict[str, Any]:
    return {"environment": _record().environment.model_copy(update=changes)}


def _data(**changes: Any) -> dict[str, Any]:
    return {"data": _record().data.model_copy(update=changes)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (_protocol(epochs=7), r"their protocols differ \(epochs: 100 and 7\)"),
        (_data(fingerprint="other"), "their images differ, though both are called drawn-oulu"),
        (_data(fingerprint="other", name="ck"), "are those of drawn-oulu and of ck"),
        (_data(pixels_sha256="other"), "other image libraries"),
        ({"test": data("faces", CLASSES)}, "only one of them has a cross-database test"),
    ],
)
def test_other_grounds_are_refused_with_a_reason(changes: dict[str, Any], says: str) -> None:
    other = _record(**changes)
    reason = why_not_ranked(_record(), other)
    assert reason is not None
    with pytest.raises(UserError, match=says):
        check_ranked([("one", _record()), ("two", other)])
    assert ground_of(_record()) != ground_of(other)


def test_other_folds_are_refused() -> None:
    reason = why_not_ranked(_record(), _record(("s1", "s0")))
    assert reason == "their folds hold different images"


def test_what_moves_no_accuracy_keeps_the_ground() -> None:
    speed = _record().protocol.speed.model_copy(update={"rounds": 99})
    for changes in (
        _protocol(preset="quick"),
        _protocol(speed=speed),
        _protocol(curve_every=0),
        _environment(device_name="another processor"),
    ):
        assert why_not_ranked(_record(), _record(**changes)) is None
        assert ground_of(_record()).key == ground_of(_record(**changes)).key


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (_environment(device_name="another"), "timed on a processor and on another"),
        (_environment(threads=4), "with 1 and with 4 threads"),
        (
            _protocol(speed=_record().protocol.speed.model_copy(update={"rounds": 99})),
            "timed by different settings",
        ),
    ],
)
def test_times_of_other_devices_are_refused(changes: dict[str, Any], says: str) -> None:
    reason = why_not_timed(_record(), _record(**changes))
    assert reason is not None
    assert says in reason
    assert why_not_timed(_record(), _record()) is None


def test_the_same_trainings_count_once_others_are_told_apart() -> None:
    same = line_up([("one", _record()), ("two", _record())])
    assert [one.label for one in same] == ["base", "se"]
    apart = line_up([("one", _record()), ("two", _record(job="k"))])
    assert [one.label for one in apart] == ["base (one)", "se (one)", "base (two)", "se (two)"]


def test_what_records_of_one_ground_do_not_share_is_said() -> None:
    assert caveats([_record()]) == []
    assert caveats([_record(), _record()]) == []
    old = _record().environment
    (line,) = caveats([_record(), _record(**_environment(harness_sha256="ab" * 32))])
    assert line.startswith("Trained by different versions of the harness's code: a difference")
    packages = {"torch": "2.11.0"}
    (line,) = caveats([_record(), _record(**_environment(packages=old.packages | packages))])
    assert f"({', '.join(sorted(['2.11.0', old.packages.get('torch', 'unknown')]))})" in line
    for field, words in (
        ("host_weights_sha256", "same host weights"),
        ("batch_order_sha256", "order"),
    ):
        first, second = _record().modules
        folds = (first.folds[0], first.folds[1].model_copy(update={field: "ef" * 32}))
        others = (first.model_copy(update={"folds": folds}), second)
        (line,) = caveats([_record(), _record(modules=others)])
        assert words in line
