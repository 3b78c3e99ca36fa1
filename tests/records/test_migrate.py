"""Records of versions 1 and 2 are read; junk is left to the validation."""

from __future__ import annotations

import json
import statistics
from itertools import chain
from pathlib import Path

import pytest

from agfer_bench.comparison.marginal import ratio
from agfer_bench.errors import UserError
from agfer_bench.records.files import dump, load_run
from agfer_bench.records.migrate import migrate_run
from agfer_bench.records.run import RunRecord
from agfer_bench.submissions.audit import contradictions

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"
OLD = [
    path
    for path in sorted(PUBLISHED.rglob("record.json"))
    if "data" in (record := json.loads(path.read_text())) and record["schema_version"] == 1
]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.parent.name)
def test_published_records_load(path: Path) -> None:
    before = json.loads(path.read_text())
    record = load_run(path)
    assert record.schema_version == 9
    for module, old in zip(record.modules, before["modules"], strict=True):
        assert len(module.folds) == len(old["folds"])
        if old["speed"] is None:
            assert module.speed is None
            continue
        assert module.speed is not None
        mode = module.speed.modes["eager-fp32"]
        assert [list(times) for times in mode.stream[0].rounds_ms] == old["speed"]["rounds_ms"]
        base = record.modules[0].speed
        assert base is not None
        assert base.eager is not None
        assert ratio(mode, base.eager) == pytest.approx(old["speed"]["ratio_to_base"])
        assert mode.median_ms == statistics.median(chain(*old["speed"]["rounds_ms"]))
    speed = record.protocol.speed
    assert (speed.repeats, speed.fresh) == (1, False)
    assert speed.rounds == before["protocol"]["speed"]["rounds"]
    assert RunRecord.model_validate_json(dump(record)) == record


def test_some_published_record_is_of_version_1() -> None:
    assert OLD


def test_a_record_of_version_9_is_left_alone() -> None:
    content = {"schema_version": 9, "modules": [{"speed": {"rounds_ms": []}}]}
    assert migrate_run(content) is content


def test_version_2_knew_networks_alone() -> None:
    path = PUBLISHED / "quick-synthetic-xeon-cpu" / "record.json"
    before = json.loads(path.read_text())
    assert before["schema_version"] == 2
    record = load_run(path)
    assert record.schema_version == 9
    assert {module.kind for module in record.modules} == {"attention"}
    after = json.loads(dump(record))
    for module, old in zip(after["modules"], before["modules"], strict=True):
        size = old["size"] | {"uncounted": [], "frozen_parameters": 0}
        assert module == {**module, **old, "size": size, "folds": module["folds"]}
        for fold, was in zip(module["folds"], old["folds"], strict=True):
            assert fold == fold | was
    lacking = before | {"schema_version": 3}
    lacking["modules"][0]["folds"][0]["host_weights_sha256"] = None
    with pytest.raises(ValueError, match="base: fold 0 lacks what a network's has"):
        RunRecord.model_validate_json(json.dumps(lacking))


def test_version_4_had_fewer_settings_and_a_fingerprint_over_those() -> None:
    path = PUBLISHED / "quick-synthetic-cpu" / "record.json"
    before = json.loads(path.read_text())
    assert before["schema_version"] == 4
    record = load_run(path)
    protocol = record.protocol
    assert protocol.guidance_share == 1
    assert (protocol.schedule, protocol.warmup) == ("constant", 0)
    assert (protocol.label_smoothing, protocol.clip_norm) == (0, 0)
    assert record.protocol_fingerprint == protocol.fingerprint != before["protocol_fingerprint"]
    assert contradictions(record) == []
    assert RunRecord.model_validate_json(dump(record)) == record
    forged = RunRecord.model_validate(before | {"protocol_fingerprint": 64 * "0"})
    assert contradictions(forged) == ["protocol_fingerprint is not that of the settings"]
    settings = before["protocol"] | {"epochs": 27}
    changed = RunRecord.model_validate(before | {"protocol": settings})
    assert "protocol_fingerprint is not that of the settings" in contradictions(changed)


@pytest.mark.parametrize(("drawn", "duplicates"), [(True, "group"), (False, "keep")])
def test_before_version_8_nobody_looked_for_copies(drawn: bool, duplicates: str) -> None:
    before = json.loads((PUBLISHED / "quick-synthetic-cpu" / "record.json").read_text())
    data = before["data"] | {"drawn": drawn}
    record = RunRecord.model_validate(before | {"data": data})
    assert record.protocol.duplicates == duplicates
    assert record.data.copies is None


@pytest.mark.parametrize(
    "junk",
    [
        "[]",
        '{"schema_version": 1}',
        '{"schema_version": 1, "protocol": 3, "modules": [1]}',
        '{"schema_version": 1, "protocol": {"speed": 1}, "modules": [{"speed": {}}]}',
        '{"schema_version": 2}',
        '{"schema_version": 3}',
        '{"schema_version": 4}',
        '{"schema_version": 5}',
        '{"schema_version": 6}',
        '{"schema_version": 7}',
        '{"schema_version": 8}',
        '{"schema_version": 9}',
        '{"schema_version": 4, "protocol": {"alpha": NaN}, "protocol_fingerprint": "0"}',
    ],
)
def test_junk_is_no_record(junk: str, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(junk)
    with pytest.raises(UserError, match="no valid run record"):
        load_run(path)
