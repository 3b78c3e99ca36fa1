"""Blocks over several pages: what counts as a setting, what is said, and what is not."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agfer_bench.comparison.inference import Difference
from agfer_bench.comparison.meta_analysis import combine
from agfer_bench.leaderboard import comparing
from agfer_bench.leaderboard.across import TWICE, across
from agfer_bench.leaderboard.forest import MEAN, NEW, forest
from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.naming import names_of
from agfer_bench.leaderboard.pages import draw
from agfer_bench.leaderboard.setting_effects import Setting, SettingEffect
from agfer_bench.leaderboard.site import build_site
from agfer_bench.leaderboard.site_data import Across, BlockAcross, PooledEffect
from agfer_bench.records.run import RunRecord
from tests.leaderboard.settings import in_setting, reading_of

SKILLS = {"base": 0.5, "good": 0.62, "same": 0.5, "hog": 0.7}
SETTINGS = (("vgg16", "set-0"), ("timm:resnet18", "set-1"), ("timm:resnet10t", "set-2"))


def _effects(records: Sequence[RunRecord]) -> list[SettingEffect]:
    reading = reading_of(*records)
    files = {one.path: f"records/{one.path[0]}.json" for one in reading.accepted}
    return [one for page in pages_of(reading) for one in draw(page, files).effects]


def _effect(number: int, points: float, error: float = 1.0, **changes: Any) -> SettingEffect:
    """Return a block's effect in a setting of its own: host, data set and machine."""
    setting: dict[str, Any] = {
        "key": f"key-{number}",
        "file": f"pages/{number}.html",
        "name": f"host-{number} · data-{number}",
        "protocol": "quick",
        "host": f"host-{number}",
        "data": f"data-{number}",
        "drawn": False,
        "by_image": False,
    }
    whole: dict[str, Any] = {
        "block": ("mine", "x", "{}"),
        "label": "x",
        "source": ("1", "a"),
        "machines": frozenset({f"machine-{number}"}),
        "trainings": 3,
        "finished": 0.0,
        "verdict": "not distinguishable",
        "why_not": "",
    }
    difference = Difference(
        unit="subjects",
        units=60,
        folds=3,
        trainings=(3,),
        estimate=points / 100,
        subject=(error / 100) ** 2,
        training=0.0,
        residual=0.0,
        df=20,
        unit_df=57,
    )
    return SettingEffect(
        setting=Setting(**setting | {k: v for k, v in changes.items() if k in setting}),
        **{"difference": difference}
        | whole
        | {k: v for k, v in changes.items() if k not in setting},
    )


def _block(found: Across, name: str, drawn: bool = False) -> BlockAcross:
    (block,) = (one for one in found.blocks if (one.name, one.drawn) == (name, drawn))
    return block


def _pooled(found: Across, name: str = "x") -> PooledEffect:
    pooled = _block(found, name).pooled
    assert pooled is not None
    return pooled


def _warnings(effects: Sequence[SettingEffect]) -> str:
    return "\n".join(_pooled(across(effects)).warnings)


# --- From records to a page ---


@pytest.fixture(scope="module")
def runs() -> list[RunRecord]:
    """Three settings: each a host, a data set and a machine of its own."""
    return [
        in_setting(SKILLS, host=host, data=data, draw=n, device=n, seeds=2)
        for n, (host, data) in enumerate(SETTINGS)
    ]


@pytest.fixture(scope="module")
def effects(runs: list[RunRecord]) -> list[SettingEffect]:
    return _effects(runs)


@pytest.fixture(scope="module")
def site(runs: list[RunRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a site of three settings of photographs, and one of drawn faces."""
    folder = tmp_path_factory.mktemp("across")
    reading = reading_of(*runs, in_setting(SKILLS, data="drawn", drawn=True, seeds=2))
    build_site(reading, pages_of(reading), folder / "site")
    return folder / "site"


def test_effects_and_errors_are_those_of_the_pages(
    runs: list[RunRecord], effects: list[SettingEffect]
) -> None:
    """They come from the inference of the pages: there is no second formula."""
    found = across(effects)
    expected = []
    for page in pages_of(reading_of(*runs)):
        contrasts = comparing.compare(page.entries, names_of(page.entries)).against_base
        (one,) = (c.difference for c in contrasts if c.first == "good" and c.difference)
        expected.append((one.estimate, one.error))
    expected.sort(reverse=True)
    rows = [(row.effect, row.error) for row in _block(found, "good").settings]
    assert rows == [pytest.approx(one, abs=1e-6) for one in expected]
    meta = combine([one for one, _ in expected], [one for _, one in expected])
    pooled = _pooled(found, "good")
    assert (pooled.effect, pooled.tau, pooled.p) == pytest.approx(
        (meta.mean, meta.tau, meta.p), abs=1e-6
    )


def test_base_and_classifiers_are_no_blocks(effects: list[SettingEffect]) -> None:
    assert {one.name for one in across(effects).blocks} == {"good", "same"}


def test_pages_that_differ_in_the_seed_are_one_setting(
    runs: list[RunRecord], effects: list[SettingEffect]
) -> None:
    host, data = SETTINGS[0]
    again = in_setting(SKILLS, host=host, data=data, draw=7, seed=5, seeds=3)
    found = _block(across([*effects, *_effects([again])]), "good")
    assert len(found.settings) == 3
    assert found.left_out == ((TWICE, 1),)
    overs = sorted(row.over for row in found.settings)
    assert overs == ["60 subjects, 2 trainings"] * 2 + ["60 subjects, 3 trainings"]
    assert len({one.setting.key for one in effects}) == 3
    (other,) = {one.setting.key for one in _effects([in_setting(SKILLS, epochs=40, seeds=2)])}
    assert other not in {one.setting.key for one in effects}


def test_an_option_that_is_off_does_not_make_another_block(
    runs: list[RunRecord], effects: list[SettingEffect]
) -> None:
    """Later versions have more options, and every record tells all that there were."""

    def blocks(**options: Any) -> set[tuple[str, ...]]:
        modules = [one.model_copy(update={"options": options}) for one in runs[0].modules]
        return {one.block for one in _effects([runs[0].model_copy(update={"modules": modules})])}

    assert {one.block for one in effects} == blocks() == blocks(neutral=False)
    assert blocks(neutral=True).isdisjoint(blocks())
    assert blocks(reduction=0).isdisjoint(blocks())


def test_records_of_one_page_are_one_setting(runs: list[RunRecord]) -> None:
    host, data = SETTINGS[0]
    elsewhere = in_setting(SKILLS, host=host, data=data, draw=8, device=2, seeds=2)
    found = _block(across(_effects([runs[0], elsewhere])), "good")
    assert [row.over for row in found.settings] == ["60 subjects, 4 trainings"]
    assert found.left_out == ()


def test_what_is_not_judged_does_not_count_and_is_counted(effects: list[SettingEffect]) -> None:
    once = in_setting(SKILLS, data="once", seeds=1)
    no_base = in_setting(SKILLS, data="no-base", seeds=2)
    no_base = no_base.model_copy(update={"modules": no_base.modules[1:]})
    found = _block(across([*effects, *_effects([once, no_base])]), "good")
    assert len(found.settings) == 3
    assert dict(found.left_out) == {
        "trained once on each fold": 1,
        "nothing is said against base (no whole record has base)": 1,
    }


def test_the_page_its_twin_and_the_data_say_the_same(
    site: Path, effects: list[SettingEffect]
) -> None:
    found = _pooled(across(effects), "good")
    html = (site / "across.html").read_text(encoding="utf-8")
    markdown = (site / "leaderboard.md").read_text(encoding="utf-8")
    content = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))
    for text in (re.sub("<[^>]+>", "", html), markdown):
        assert found.sentence in text
        assert all(line in text for line in found.warnings)
    stored = next(one for one in content["across"]["blocks"] if one["name"] == "good")
    assert stored["pooled"]["effect"] == found.effect
    assert stored["pooled"]["prediction"] == list(found.prediction)
    for row in stored["settings"]:
        assert (site / row["page"]).is_file()
        assert f'href="{row["page"]}"' in html
    assert 'href="across.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_drawn_faces_stand_apart_and_are_said_to_be_drawn(site: Path) -> None:
    html = (site / "across.html").read_text(encoding="utf-8")
    photographs, drawn = html.split('<section id="drawn"')
    assert "tells nothing about people" not in photographs
    assert "tells nothing about people" in drawn
    assert "Too few settings" in drawn


def test_the_site_says_what_is_missing_where_no_block_has_three_settings(tmp_path: Path) -> None:
    reading = reading_of(in_setting(SKILLS, seeds=2))
    build_site(reading, pages_of(reading), tmp_path / "site")
    for name in ("across.html", "index.html", "leaderboard.md"):
        text = (tmp_path / "site" / name).read_text(encoding="utf-8")
        assert "No block is judged in 3 settings yet (good is closest, with 1 on phot" in text
    assert "data-chart" not in (tmp_path / "site" / "across.html").read_text(encoding="utf-8")


def test_without_records_the_site_still_builds(tmp_path: Path) -> None:
    build_site(reading_of(), (), tmp_path / "site")
    html = (tmp_path / "site" / "across.html").read_text(encoding="utf-8")
    assert "No block is judged in any setting yet" in html


# --- What is said ---


def test_a_clear_effect_is_ahead_and_its_sentence_says_what_to_expect() -> None:
    found = _pooled(across([_effect(n, 6 + n / 4, 0.8) for n in range(6)]))
    assert found.verdict == "ahead"
    assert found.interval[0] > 0
    assert found.prediction[0] <= found.interval[0] < found.interval[1] <= found.prediction[1]
    low, high = (f"{100 * end:+.1f}" for end in found.prediction)
    assert found.sentence.startswith("x is ahead of base by 6.6 points on average over 6 settings")
    assert found.sentence.endswith(
        f"On another host and data set like these, expect {low} to {high} points."
    )
    behind = _pooled(across([_effect(n, -6 - n / 4, 0.8) for n in range(6)]))
    assert behind.sentence.startswith("x is behind base by 6.6 points")


def test_blocks_without_effect_are_not_ahead_and_are_corrected_together() -> None:
    random = np.random.default_rng(3)
    blocks = [
        _effect(n, random.normal(0, 2), block=("mine", f"x{b}", "{}"), label=f"x{b}")
        for b in range(40)
        for n in range(4)
    ]
    found = across(blocks)
    assert len(found.blocks) == 40
    assert min(one.pooled.p for one in found.blocks if one.pooled) <= 0.05, "of 40, some by chance"
    for one in found.blocks:
        assert one.pooled is not None
        assert one.pooled.verdict in ("not distinguishable", "equivalent")
        assert one.pooled.interval[0] < 0 < one.pooled.interval[1]
        assert one.pooled.prediction[0] <= one.pooled.interval[0]
        assert one.pooled.blocks == 40


def test_two_settings_are_not_put_together() -> None:
    found = across([_effect(n, 5.0) for n in range(2)])
    assert _block(found, "x").pooled is None
    assert found.missing is not None
    assert "x is closest, with 2 on photographs" in found.missing
    assert ". " not in found.missing, "one sentence"


def test_drawn_faces_and_photographs_are_never_put_together() -> None:
    found = across([_effect(n, 5.0, drawn=n > 1) for n in range(5)])
    assert _block(found, "x").pooled is None
    assert len(_block(found, "x").settings) == 2
    drawn = _block(found, "x", drawn=True)
    assert drawn.pooled is not None
    assert len(drawn.settings) == 3


def test_of_one_setting_that_of_most_trainings_counts_then_the_newest() -> None:
    many = _effect(0, 1.0, trainings=5, file="pages/many.html")
    older = _effect(0, 2.0, trainings=3, file="pages/older.html")
    newer = _effect(0, 3.0, trainings=3, file="pages/newer.html", finished=9.0)
    for order in ((many, older, newer), (newer, many, older)):
        (row,) = _block(across(order), "x").settings
        assert row.page == "pages/many.html"
    found = _block(across([older, newer]), "x")
    assert [row.page for row in found.settings] == ["pages/newer.html"]
    assert found.left_out == ((TWICE, 1),)


def test_a_setting_whose_effect_is_not_usable_is_counted() -> None:
    bad = _effect(9, 0.0, difference=None, why_not="its standard error is 0")
    found = _block(across([*(_effect(n, 1.0) for n in range(3)), bad]), "x")
    assert len(found.settings) == 3
    assert found.left_out == (("its standard error is 0", 1),)


def test_warnings_of_few_settings_and_of_what_they_share() -> None:
    apart = [_effect(n, 5.0 + n) for n in range(3)]
    assert _warnings(apart) == (
        "Only 3 settings: they hardly tell how much settings differ (tau), and the prediction "
        "interval is wide for that reason."
    )
    assert _warnings([_effect(n, 5.0 + n) for n in range(5)]) == ""
    alike = [
        _effect(n, 5.0 + n, host="vgg16", data="set", machines=frozenset({"CPU"})) for n in range(5)
    ]
    said = _warnings(alike)
    assert "All settings have one host (vgg16): nothing is said of others." in said
    assert "All settings have one data set (set): nothing is said of others." in said
    assert "5 settings stand on 1 host and 1 data set." in said
    assert "machines of one kind (CPU), perhaps of one lab" in said
    assert "In another setting like these" in _pooled(across(alike)).sentence
    shared = [_effect(n, 5.0 + n, host=f"host-{n % 3}") for n in range(6)]
    assert "6 settings stand on 3 hosts and 6 data sets." in _warnings(shared)
    assert "nothing is said of others" not in _warnings(shared)


def test_warnings_of_contradictions_and_outliers() -> None:
    signs = [
        _effect(n, 6.0 if n % 2 else -6.0, verdict="ahead" if n % 2 else "behind") for n in range(6)
    ]
    said = _warnings(signs)
    assert "Settings contradict each other: ahead in host-1 · data-1; host-3" in said
    assert "The mean describes neither." in said
    assert _pooled(across(signs)).verdict == "not distinguishable"
    wild = [_effect(n, 60.0 if n == 2 else 1.0 + n / 5) for n in range(6)]
    said = _warnings(wild)
    assert "host-2 · data-2 does not fit to the other settings; without it the mean is +1.5" in said
    assert "contradict" not in said


def test_warnings_of_small_trials() -> None:
    random = np.random.default_rng(1)
    errors = np.linspace(0.5, 4, 12)
    noise = random.normal(0, errors / 3)
    biased = [_effect(n, 2 * e + x, e) for n, (e, x) in enumerate(zip(errors, noise, strict=True))]
    fair = [_effect(n, 1 + x, e) for n, (e, x) in enumerate(zip(errors, noise, strict=True))]
    assert "Egger's regression, p = 0.0" in _warnings(biased)
    assert "Egger" not in _warnings(fair)
    assert "Egger" not in _warnings(biased[:9])


def test_warnings_of_folds_by_image_and_of_other_code() -> None:
    mixed = [_effect(n, 5.0 + n, by_image=n == 0, source=(str(n == 1), "a")) for n in range(5)]
    said = _warnings(mixed)
    assert "In 1 of 5 settings folds divide single images" in said
    assert "The block's code is not the same in all settings: 2 versions." in said


def test_blocks_of_one_label_are_told_apart_by_distribution() -> None:
    blocks = [_effect(0, 1.0), _effect(0, 1.0, block=("other", "x", "{}"))]
    assert {one.name for one in across(blocks).blocks} == {"x (mine)", "x (other)"}


def test_the_order_of_effects_does_not_matter() -> None:
    several = [
        _effect(n, n - 2.0, block=("mine", b, "{}"), label=b) for n in range(4) for b in ("x", "y")
    ]
    assert across(several) == across(several[::-1])


def test_the_forest_plot_draws_settings_mean_and_prediction() -> None:
    block = _block(across([_effect(n, 3.0 + n, 1 + n / 2) for n in range(4)]), "x")
    assert block.pooled is not None
    chart = forest("photographs", "photographs", [block])
    assert chart is not None
    (figure,) = chart.figures()["choices"]
    settings, mean, new = figure["data"]
    assert settings["x"] == [pytest.approx(100 * row.effect, abs=1e-3) for row in block.settings]
    assert settings["marker"]["size"] == sorted(settings["marker"]["size"]), "the surest is largest"
    assert len(set(settings["y"])) == 4
    assert mean["x"] == [pytest.approx(100 * block.pooled.effect, abs=1e-3)]
    assert list(new["x"]) == [pytest.approx(100 * end, abs=0.01) for end in block.pooled.prediction]
    assert list(figure["layout"]["yaxis"]["categoryarray"]) == [*settings["y"], MEAN, NEW]
    assert forest("photographs", "photographs", []) is None
