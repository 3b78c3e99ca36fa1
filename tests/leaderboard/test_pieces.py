"""Parts of the site that are told by numbers or texts alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from agfer_bench.comparison.contrasts import subject_shares
from agfer_bench.leaderboard import comparing, describing
from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.interval import interval_of
from agfer_bench.leaderboard.model import Page
from agfer_bench.leaderboard.naming import module_of, names_of
from agfer_bench.leaderboard.pareto import front
from agfer_bench.leaderboard.reproduce import recipe
from agfer_bench.leaderboard.sanitize import for_chart, for_markdown, link_of
from agfer_bench.leaderboard.site import build_site
from agfer_bench.leaderboard.site_data import Listing
from agfer_bench.records.run import FoldRecord, RunRecord
from agfer_bench.run.request import TrainingOptions
from agfer_bench.run.resolve import build_protocol
from agfer_bench.submissions.read import read_folder
from tests.leaderboard.generated import PAYLOADS, make_records

points = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=25)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    make_records(folder, runs=9, modules=6, protocols=3, hostile=False)
    return folder


@pytest.fixture(scope="module")
def pages(plain: Path) -> tuple[Page, ...]:
    return pages_of(read_folder(plain))


@given(points)
def test_front_is_what_nobody_beats(found: list[tuple[int, int]]) -> None:
    costs, gains = [list(side) for side in zip(*found, strict=True)]
    chosen = {found[number] for number in front(costs, gains)}
    beaten = {
        one for one in found if any(o != one and o[0] <= one[0] and o[1] >= one[1] for o in found)
    }
    assert chosen == set(found) - beaten


def test_the_command_of_a_record_gives_its_protocol(plain: Path) -> None:
    for submission in read_folder(plain).accepted:
        record = submission.record
        command = recipe(record).command
        assert command is not None
        words = shlex.split(command)
        assert words[:2] == ["agfer-bench", "run"]
        pairs = list(_flags(words[2:]))
        values = dict(pairs)
        settings = [value for flag, value in pairs if flag == "--set"]
        made = build_protocol(
            TrainingOptions(
                preset=values["--preset"], settings=settings, seed=int(values["--seed"])
            )
        )
        # Weights and masks are files that the reader gives.
        given_as_files = {"pretrained": record.protocol.pretrained, "mask": record.protocol.mask}
        assert made.model_copy(update=given_as_files).fingerprint == record.protocol.fingerprint
        assert made.speed == record.protocol.speed
        assert values["--modules"].split(",") == [m.label for m in record.modules[1:]]
        assert values["--data"].endswith("=FOLDER") != record.data.drawn


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    assert len(words) % 2 == 0
    return ((one, other) for one, other in list(pairwise(words))[::2])


@pytest.mark.parametrize(
    "name",
    [
        *("$(touch x)", "a;b", "a\nb", "-x", "--out", "`id`", "../x"),
        *(text for text in PAYLOADS if not re.fullmatch(r"[\w-]+", text)),
    ],
)
def test_no_command_of_names_that_mean_something_to_a_shell(plain: Path, name: str) -> None:
    record = read_folder(plain).accepted[0].record
    module = record.modules[1].model_copy(update={"label": name})
    for hostile in (
        record.model_copy(update={"modules": (record.modules[0], module)}),
        record.model_copy(update={"data": record.data.model_copy(update={"name": name})}),
    ):
        assert recipe(hostile).command is None


def test_interval_over_subjects_is_that_of_scipy(pages: tuple[Page, ...]) -> None:
    module = pages[0].entries[0].module
    shares = subject_shares(module)
    assert shares is not None
    values = len(shares) * np.array(list(shares.values()))
    test = stats.ttest_1samp(values, 0.0)
    expected = test.confidence_interval(0.95)
    found = interval_of(module)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.over, found.units) == ("subjects", len(shares))


def test_names_tell_modules_apart_and_not_devices(pages: tuple[Page, ...]) -> None:
    for page in pages:
        names = names_of(page.entries)
        modules = [module_of(entry) for entry in page.entries]
        assert len(set(names)) == len(set(modules)) == len(set(zip(names, modules, strict=True)))


def test_only_the_most_accurate_are_compared_and_that_is_said(
    pages: tuple[Page, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MOST", 3)
    entries = pages[0].entries
    found = comparing.compare(entries, names_of(entries))
    assert len(found.entries) == 3
    assert len(found.differences) == 3
    assert "the 3 most accurate of" in found.method


def test_a_record_that_names_nobody_does_not_take_the_subjects_from_others(
    pages: tuple[Page, ...],
) -> None:
    entries = list(pages[0].entries)
    folds = tuple(f.model_copy(update={"recognised": None}) for f in entries[0].module.folds)
    repeats = tuple(
        tuple(f.model_copy(update={"recognised": None}) for f in one)
        for one in entries[0].module.repeats
    )
    old = entries[0].module.model_copy(
        update={"label": "old", "folds": folds, "repeats": repeats, "version": "0"}
    )
    entries.insert(0, replace(entries[0], module=old, label="old"))
    found = comparing.compare(entries, names_of(entries))
    assert 0 not in found.entries
    assert "subjects by sign-flip permutation" in found.method
    assert "Not compared: 1 of older records, which do not tell who was recognised." in found.method


def test_a_preset_that_is_none_of_ours_is_not_told(plain: Path) -> None:
    record = read_folder(plain).accepted[0].record
    assert describing.changes_of(record.protocol)
    forged = record.protocol.model_copy(update={"preset": "paper "})
    assert describing.preset_of(forged) == "custom"
    assert "no preset of ours" in describing.changes_of(forged)
    assert describing.title_of(record.model_copy(update={"protocol": forged})).startswith(
        "custom ·"
    )


def test_what_others_offer_is_named_beside_the_command(plain: Path) -> None:
    record = read_folder(plain).accepted[0].record
    theirs = record.modules[1].model_copy(update={"distribution": "my-gate", "version": "0.7"})
    made = recipe(record.model_copy(update={"modules": (record.modules[0], theirs)}))
    assert f"Needs my-gate 0.7, which offers {theirs.label}." in made.notes


def test_what_is_bold_is_ahead_of_all(pages: tuple[Page, ...]) -> None:
    """A module that recognises everything is; put twice, neither copy is."""
    entry = next(e for e in pages[0].entries if e.module.complete(e.submission.record.protocol))
    folds = tuple(_perfect(fold) for fold in entry.module.folds)
    repeats = tuple(tuple(map(_perfect, one)) for one in entry.module.repeats)
    module = entry.module.model_copy(
        update={"label": "perfect", "folds": folds, "repeats": repeats}
    )
    perfect = replace(entry, module=module, label="perfect")
    entries = (perfect, *pages[0].entries)
    assert comparing.compare(entries, names_of(entries)).best == 0
    twin = replace(perfect, module=module.model_copy(update={"label": "twin"}), label="twin")
    entries = (twin, *entries)
    assert comparing.compare(entries, names_of(entries)).best is None


def _perfect(fold: FoldRecord) -> FoldRecord:
    images = np.array(fold.confusion).sum(axis=1)
    share = {s: tuple(int(n) for n in counts) for s, counts in (fold.recognised or {}).items()}
    first, *others = share
    rest = images - sum(np.array(share[s]) for s in others)
    share = {first: tuple(int(n) for n in rest)} | {s: share[s] for s in others}
    return fold.model_copy(
        update={"confusion": tuple(map(tuple, np.diag(images).tolist())), "recognised": share}
    )


@pytest.mark.parametrize("text", PAYLOADS)
def test_texts_for_charts_and_markdown_hold_nothing_that_is_read(text: str) -> None:
    assert not set(for_chart(text)) & set("<>&\u202e\u2066\u2028")
    inner = for_markdown(text)[1:-1]
    assert not set(inner) & set("`|<>\n\u202e")


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ("doi:10.3390/app131810179", "https://doi.org/10.3390/app131810179"),
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("https://user:word@example.org/", None),
        ('https://example.org/" onclick=x', None),
        ("JAVASCRIPT:alert(1)", None),
        ("data:text/html,x", None),
        ("//example.org", None),
        ("https://", None),
    ],
)
def test_links_are_of_the_web_alone(source: str, link: str | None) -> None:
    assert link_of(source) == link


def test_the_json_has_the_documented_layout(plain: Path, tmp_path: Path) -> None:
    reading = read_folder(plain)
    build_site(reading, pages_of(reading), tmp_path / "site")
    text = (tmp_path / "site" / "leaderboard.json").read_text(encoding="utf-8")
    listing = TypeAdapter(Listing).validate_json(text, strict=False)
    assert sum(page.records for page in listing.pages) == len(reading.accepted) == 9
    for page in listing.pages:
        assert (tmp_path / "site" / page.file).is_file()
        for row in page.rows:
            RunRecord.model_validate_json((tmp_path / "site" / row.record).read_text("utf-8"))
