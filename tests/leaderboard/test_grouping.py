"""Records in pages: one for each ground, modules once, labels that tell them apart."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from agfer_bench.comparison.comparable import ground_of, why_not_ranked
from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.model import Page
from agfer_bench.records.run import RunRecord
from agfer_bench.submissions.model import Reading, Submission
from agfer_bench.submissions.read import read_folder
from tests.leaderboard.generated import make_records, make_run


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    folder = tmp_path_factory.mktemp("made")
    make_records(folder, runs=45, modules=8, hostile=False)
    found = read_folder(folder)
    assert not found.rejected
    return found


def _of(*records: RunRecord) -> Reading:
    submissions = [Submission(path=f"{n}/record.json", record=r) for n, r in enumerate(records)]
    return Reading(accepted=tuple(submissions), rejected=())


def _changed(record: RunRecord, **changes: Any) -> RunRecord:
    """Return a copy with the first module alone, changed."""
    module = record.modules[0].model_copy(update=changes)
    return record.model_copy(update={"modules": (module,)})


def _labels(page: Page) -> set[str]:
    return {entry.label for entry in page.entries}


def test_a_page_holds_what_compares_and_nothing_else(reading: Reading) -> None:
    pages = pages_of(reading)
    assert len(pages) == 3
    for page in pages:
        records = [entry.submission.record for entry in page.entries]
        assert all(ground_of(record) == page.ground for record in records)
        assert all(why_not_ranked(records[0], record) is None for record in records)
    first, second = (page.entries[0].submission.record for page in pages[:2])
    assert why_not_ranked(first, second) is not None


def test_every_module_of_every_record_is_on_one_page(reading: Reading) -> None:
    pages = pages_of(reading)
    placed = [
        submission.path
        for page in pages
        for entry in page.entries
        for submission in (entry.submission, *entry.again)
    ]
    there = [one.path for one in reading.accepted for _ in one.record.modules]
    assert sorted(placed) == sorted(there)


def test_a_module_is_one_entry_whatever_it_ran_on(reading: Reading) -> None:
    for page in pages_of(reading):
        keys = [(entry.module.name, entry.module.version) for entry in page.entries]
        assert len(set(keys)) == len(keys)
        for entry in page.entries:
            ages = [one.age for one in entry.results if one.whole]
            assert ages == sorted(ages, reverse=True)
    devices = {one.record.environment.device_name for one in page.entries[0].results}
    assert len(devices) > 1


def test_labels_are_unique_and_do_not_depend_on_the_order(reading: Reading) -> None:
    pages = pages_of(reading)
    for page in pages:
        assert len(_labels(page)) == len(page.entries)
    shuffled = list(reading.accepted)
    random.Random(0).shuffle(shuffled)
    assert pages_of(Reading(accepted=tuple(shuffled), rejected=())) == pages


def test_labels_tell_modules_apart_by_what_differs(reading: Reading) -> None:
    record = _changed(reading.accepted[0].record)
    assert [_labels(page) for page in pages_of(_of(record, record))] == [{"base"}]

    def labels(**changes: Any) -> set[str]:
        (page,) = pages_of(_of(record, _changed(record, **changes)))
        return _labels(page)

    assert labels(version="9") == {"base (0.1.0)", "base (9)"}
    assert labels(distribution="mine") == {"base (agfer-bench)", "base (mine)"}
    source = record.modules[0].package_sha256[:8]
    assert labels(package_sha256="ab" * 32) == {f"base (source {source})", "base (source abababab)"}
    assert labels(options={"x": 1}) == {"base ()", "base (x=1)"}
    assert labels(name="other") == {"base", "base (2)"}
    assert labels(label="base (2)", name="other") == {"base", "base (2)"}


def test_a_label_that_looks_like_anothers(reading: Reading) -> None:
    """A stranger may call a module what we would call it to tell it apart."""
    record = _changed(reading.accepted[0].record)
    twins = [
        record,
        _changed(record, name="other"),
        _changed(record, name="third", label="base (2)"),
        _changed(record, name="fourth", label="base (3)"),
    ]
    (page,) = pages_of(_of(*twins))
    assert len(_labels(page)) == 4


def test_a_record_that_lacks_folds_never_stands_before_a_whole_one(reading: Reading) -> None:
    whole = _changed(reading.accepted[0].record)
    failed = {"error": "it: raised", "size": None, "speed": None}
    newer = _changed(whole, folds=whole.modules[0].folds[:1], **failed)
    newer = newer.model_copy(update={"finished": "2026-06-01T00:00:00+00:00"})
    assert newer.finished > whole.finished
    (page,) = pages_of(_of(whole, newer))
    (entry,) = page.entries
    assert entry.submission.record == whole
    assert [one.record for one in entry.again] == [newer]
    assert [one.record for one in entry.whole] == [whole]


def test_records_that_lack_folds_join_the_page_of_their_ground(reading: Reading) -> None:
    whole = reading.accepted[0].record
    failed = {"error": "it: raised", "size": None, "speed": None}
    some = _changed(whole, name="a", label="a", folds=whole.modules[0].folds[:1], **failed)
    none = _changed(whole, name="b", label="b", folds=(), **failed)
    for order in ((whole, some, none), (none, some, whole)):
        (page,) = pages_of(_of(*order))
        assert page.ground == ground_of(whole)
        assert {"a", "b"} <= _labels(page)
    other = whole.modules[0].folds[0].model_copy(update={"split_sha256": "0" * 64})
    apart = pages_of(_of(whole, _changed(whole, folds=(other,), **failed)))
    assert sorted(len(page.entries) for page in apart) == [1, 8]
    assert len(pages_of(_of(none))) == 1


def test_seeds_need_not_agree_but_settings_must() -> None:
    one, three = (make_run({"base": 0.5}, seeds=seeds) for seeds in (1, 3))
    (page,) = pages_of(_of(one, three))
    assert [len(result.module.seeds) for result in page.entries[0].results] == [3, 1]
    protocol = three.protocol.model_copy(update={"epochs": 13})
    assert len(pages_of(_of(one, three.model_copy(update={"protocol": protocol})))) == 2


def test_nothing_makes_no_page(tmp_path: Path) -> None:
    assert pages_of(read_folder(tmp_path)) == ()
