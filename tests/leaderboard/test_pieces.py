"""Parts of the site that are told by numbers or texts alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agfer_bench.grammar import split
from agfer_bench.leaderboard import describing
from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.model import Page
from agfer_bench.leaderboard.naming import names_of
from agfer_bench.leaderboard.pareto import front
from agfer_bench.leaderboard.reproduce import recipe
from agfer_bench.leaderboard.sanitize import for_chart, for_markdown, link_of
from agfer_bench.leaderboard.site import build_site
from agfer_bench.leaderboard.site_data import Listing
from agfer_bench.plugin.options import parse_choice
from agfer_bench.records.run import RunRecord
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


def test_the_command_is_quoted_for_a_shell_and_parses_back(plain: Path) -> None:
    record = read_folder(plain).accepted[0].record
    labels = ["se:reduction=4/8/16", 'gate:kind="a,b":sizes=[3,5]', "gate:kind='it''s'"]
    rows = [record.modules[1].model_copy(update={"label": label}) for label in labels]
    command = recipe(record.model_copy(update={"modules": (record.modules[0], *rows)})).command
    assert command is not None
    assert "--modules 'se:" in command
    values = dict(_flags(shlex.split(command)[2:]))
    assert split(values["--modules"], ",") == labels
    assert parse_choice(split(values["--modules"], ",")[1]).options == (
        ("kind", '"a,b"'),
        ("sizes", "[3,5]"),
    )


def test_the_command_of_a_detectors_record_asks_for_its_weights(plain: Path) -> None:
    record = read_folder(plain).accepted[0].record
    crop = f"yunet:score=0.8@sha256:{64 * 'a'}"
    protocol = record.protocol.with_settings({"crop": crop})
    made = recipe(record.model_copy(update={"protocol": protocol}))
    assert made.command is not None
    assert "--detector yunet:score=0.8=FILE" in made.command
    assert "crop=" not in made.command
    assert any(f"sha256:{64 * 'a'}" in note for note in made.notes)


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    assert len(words) % 2 == 0
    return ((one, other) for one, other in list(pairwise(words))[::2])


@pytest.mark.parametrize(
    "name",
    [
        *("$(touch x)", "a;b", "a\nb", "-x", "--out", "`id`", "../x", "x:y=/etc/z", "a/../b"),
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


def test_every_module_has_a_name_of_its_own(pages: tuple[Page, ...]) -> None:
    for page in pages:
        names = names_of(page.entries)
        assert len(set(names)) == len(page.entries)


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
