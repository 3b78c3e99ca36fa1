"""Calibrations of made-up runs: counts, spread and plans against hand-worked values and SciPy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from agfer_bench.comparison.contrasts import Contrast, Question, contrasts, of_pairs
from agfer_bench.errors import UserError
from agfer_bench.records.calibration import CalibrationRecord, VerdictCounts
from agfer_bench.records.files import CALIBRATION, dump
from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.report.calibration import calibration_of, rate_interval
from agfer_bench.report.calibration_table import notes_of, plan_lines, to_json, to_markdown
from agfer_bench.report.verdicts import entrants_of
from agfer_bench.run.studies.calibration import write
from agfer_bench.submissions.open import open_calibration
from tests.report.studies import fold, module, record

FOLDS, SUBJECTS, IMAGES = 3, 18, 4
"""Folds; subjects, each in one fold; images of each of the three classes of a subject."""


def _training(number: int, chances: np.ndarray, random: np.random.Generator) -> FoldRecord:
    """Judge the subjects of a fold; an image that was not recognised is of the next class."""
    rights = random.binomial(IMAGES, np.clip(chances, 0.02, 0.98)[:, None], (len(chances), 3))
    right_M = rights.sum(axis=0)
    confusion = np.diag(right_M) + np.roll(np.diag(IMAGES * len(chances) - right_M), 1, axis=1)
    subjects = range(number, SUBJECTS, FOLDS)
    recognised = {str(s): tuple(map(int, row)) for s, row in zip(subjects, rights, strict=True)}
    return fold(number, tuple(tuple(map(int, row)) for row in confusion)).model_copy(
        update={"recognised": recognised, "final_weights_sha256": str(random.bytes(8))}
    )


def draw_run(
    blocks: int = 4,
    *,
    seeds: int = 3,
    spread: float = 0.05,
    ahead: float = 0.0,
    seed: int = 0,
    known: bool = True,
) -> RunRecord:
    """Draw networks that do the same; `ahead` is what blocks have over base."""
    random = np.random.default_rng(seed)
    people = np.array(random.normal(0.7, 0.1, SUBJECTS))
    modules = []
    for label in ["base", *(f"null:k={k}" for k in range(1, blocks + 1))]:
        above = 0.0 if label == "base" else ahead
        sets = [
            tuple(
                _training(k, np.add(people[k::FOLDS], above + random.normal(0, spread)), random)
                for k in range(FOLDS)
            )
            for _ in range(seeds)
        ]
        if not known:
            sets = [tuple(f.model_copy(update={"recognised": None}) for f in one) for one in sets]
        modules.append(module(label, sets[0], repeats=tuple(sets[1:])))
    return _of(modules, seeds)


def _of(modules: Sequence[ModuleRecord], seeds: int, **changes: Any) -> RunRecord:
    whole = record(modules, folds=FOLDS, **changes)
    protocol = whole.protocol.model_copy(update={"seeds": seeds, "split": "subject"})
    return whole.model_copy(update={"protocol": protocol})


def _all_accuracies(run: RunRecord) -> np.ndarray:
    """Return (networks, folds, seeds)."""
    return np.array([[[f.accuracy for f in s] for s in m.seeds] for m in run.modules]).swapaxes(
        1, 2
    )


def _against_base(run: RunRecord) -> tuple[Contrast, ...]:
    """Compare the blocks with base, as `compare` does blocks that are no controls."""
    base, *blocks = entrants_of(run)
    return of_pairs([(one, base) for one in blocks], Question())


def test_verdicts_are_those_of_compare() -> None:
    run = draw_run(ahead=0.2, spread=0.02)
    found = calibration_of(run, "run")
    told = [one.verdict for one in _against_base(run)]
    assert found.family.ahead == told.count("ahead") == 4, "it is made to find something"
    assert found.family.pairs == found.single.pairs == 4
    assert (found.every.pairs, found.every.behind >= 4) == (10, True), "base comes first"
    assert found.population == "over new people and new trainings"
    assert (found.unit, found.units, found.blocks, found.judged) == ("subjects", SUBJECTS, 4, 5)


def test_pairs_alone_are_compared_as_if_there_were_no_others() -> None:
    run = draw_run(3, ahead=0.1, spread=0.03, seed=6)
    entrants = entrants_of(run)
    alone = [of_pairs([pair], Question())[0].verdict for pair in combinations(entrants, 2)]
    every = calibration_of(run, "run").every
    assert (every.ahead, every.behind) == (alone.count("ahead"), alone.count("behind"))
    assert every.equivalent == alone.count("equivalent")


def test_single_pairs_are_not_corrected() -> None:
    for seed in range(60):
        run = draw_run(3, ahead=0.06, spread=0.03, seed=seed)
        found = calibration_of(run, "run")
        raw = [one.difference.p for one in _against_base(run) if one.difference]
        assert found.single.false_positives == sum(p <= 0.05 for p in raw)
        if found.single.false_positives > found.family.false_positives:
            return
    pytest.fail("no draw in which the correction changes a verdict")


def test_spread_by_hand() -> None:
    run = draw_run(5, seed=3)
    spread = calibration_of(run, "run").spread
    found = _all_accuracies(run)
    assert spread.training_sd == pytest.approx(np.sqrt(found.var(axis=2, ddof=1).mean()))
    by_seed = found.mean(axis=1).std(axis=1, ddof=1)
    assert spread.seed_sd == pytest.approx(np.sqrt((by_seed**2).mean()))
    assert spread.largest_seed_sd == pytest.approx(by_seed.max())
    assert spread.network_sd == pytest.approx(found.mean(axis=(1, 2)).std(ddof=1))
    assert sum(spread.shares.values()) == pytest.approx(1, abs=0.25), "medians, not shares of one"
    assert set(spread.shares) == {"subjects", "trainings", "rest"}


def test_trainings_with_the_same_seed_correlate_where_networks_share_them() -> None:
    apart = calibration_of(draw_run(6, spread=0.08, seed=5), "run").spread.seed_correlation
    run = draw_run(2, spread=0.08, seed=5)
    base = run.modules[0]
    same = [base, *(m.model_copy(update={"folds": base.folds, "repeats": base.repeats})
                    for m in run.modules[1:])]  # fmt: skip
    together = calibration_of(_of(same, 3), "run")
    assert apart is not None
    assert abs(apart) < 0.3
    assert together.spread.seed_correlation == pytest.approx(1)
    assert [one.base_weights for one in together.networks] == [True, True, True]
    assert together.plan == ()
    text = " ".join(notes_of(together))
    assert "2 blocks ended in the weights of base, to the last bit" in text
    assert "nothing scatters" in text
    assert "What it takes" not in to_markdown(together)


def test_seed_correlation_is_that_of_pearson_for_many_seeds_and_two_networks() -> None:
    """With equal variances, the intraclass correlation of two raters is near Pearson's."""
    from agfer_bench.report.calibration import _seed_correlation

    random = np.random.default_rng(1)
    found = np.array(random.normal(size=(1, 2, 400)) + random.normal(size=(2, 2, 400)))
    pearson = np.mean([float(stats.pearsonr(*found[:, k])[0]) for k in range(2)])
    assert _seed_correlation(found) == pytest.approx(pearson, abs=0.01)


def test_plans_are_medians_over_pairs() -> None:
    run = draw_run(2, seed=2, spread=0.06)
    found = calibration_of(run, "run")
    pairs = contrasts(entrants_of(run), Question(against="all"))
    differences = [one.difference for one in pairs if one.difference]
    assert len(differences) == 3
    for one in found.plan:
        seeds = [d.trainings_to_find(one.effect, 0.05 / 3) for d in differences]
        middle = sorted(np.inf if s is None else s for s in seeds)[1]
        assert one.seeds == (None if middle == np.inf else middle)
    needed = [np.inf if one.seeds is None else one.seeds for one in found.plan]
    assert needed == sorted(needed, reverse=True), "larger differences take fewer seeds"
    assert [one.effect for one in found.plan] == [0.01, 0.02, 0.03, 0.05]


def test_where_subjects_limit_it_their_number_is_told() -> None:
    found = calibration_of(draw_run(4, seed=1, spread=0.0), "run").model_copy(deep=True)
    one = found.plan[0].model_copy(update={"seeds": None, "subjects": 412})
    other = found.plan[1].model_copy(update={"seeds": None, "subjects": None})
    found = found.model_copy(update={"plan": (one, other, *found.plan[2:])})
    text = " ".join(notes_of(found))
    assert (
        "1 point: no number of seeds finds it with 18 subjects; 412 subjects with 3 seeds would."
        in text
    )
    assert "2 points: no number of seeds finds it with 18 subjects, nor any number" in text
    assert plan_lines(found)[1] == ["1 point", "no number", "412"]


def test_a_part_that_subjects_add_cannot_be_trained_away() -> None:
    """Networks that differ in whom they recognise, alike in every training."""
    run = draw_run(3, seed=4, spread=0.0)
    kept = []
    for one in run.modules:
        same = tuple(one.folds for _ in range(2))
        kept.append(one.model_copy(update={"repeats": same}))
    found = calibration_of(_of(kept, 3), "run")
    assert found.spread.training_sd == 0
    assert found.plan[0].seeds is None
    assert found.plan[0].subjects is not None
    assert found.plan[0].subjects > SUBJECTS
    assert found.spread.shares["subjects"] == pytest.approx(1)


@pytest.mark.parametrize("networks", [5, 13])
@pytest.mark.parametrize("hit", ["different", "equivalent"])
def test_the_interval_of_a_rate_covers_it(networks: int, hit: str) -> None:
    """All pairs of networks whose trainings are normal, as often as not a hit by the t test."""
    random = np.random.default_rng(networks)
    first, second = np.triu_indices(networks, 1)
    rates = []
    for _ in range(400):
        found = random.normal(size=(networks, 3, 3))
        differences = found[first] - found[second]
        errors = np.sqrt(differences.var(axis=2, ddof=1).mean(axis=1) / 9)
        means = differences.mean(axis=(1, 2))
        if hit == "different":
            hits = 2 * stats.t.sf(abs(means) / errors, 6) <= 0.05
        else:
            hits = (
                stats.t.cdf((1 - means) / errors, 6) - stats.t.cdf((-1 - means) / errors, 6) > 0.8
            )
        rates.append(hits.mean())
    true = np.mean(rates)
    whole = calibration_of(draw_run(networks - 1, seed=9), "run")
    ends = [rate_interval(whole, round(rate * len(first))) for rate in rates]
    covered = np.mean([low <= true <= high for low, high in ends])
    assert covered >= 0.95
    assert np.var(rates) <= true * (1 - true) / (networks - 1), "not more than independent pairs"


def test_the_interval_of_no_hits_is_clopper_and_pearsons() -> None:
    whole = calibration_of(draw_run(4, seed=9), "run")
    low, high = rate_interval(whole, 0)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 4))


def test_without_subjects_folds_are_judged() -> None:
    run = draw_run(3, known=False)
    run = run.model_copy(update={"data": run.data.model_copy(update={"subjects": None})})
    found = calibration_of(run, "run")
    assert (found.unit, found.units) == ("folds", FOLDS)
    assert all(one.subjects is None for one in found.plan)
    text = " ".join(notes_of(found))
    assert "Who is in the images is not known: nothing is said about new people." in text
    assert "over new samples of such images and new trainings" in text
    assert set(found.spread.shares) == {"folds", "trainings"}


def _stuck(one: ModuleRecord) -> ModuleRecord:
    images = IMAGES * SUBJECTS // FOLDS
    stuck = one.folds[1].model_copy(update={"confusion": ((images, 0, 0),) * 3})
    return one.model_copy(update={"folds": (one.folds[0], stuck, one.folds[2])})


def test_a_network_that_is_not_judged_is_told_and_left_out() -> None:
    run = draw_run(4)
    modules = [*run.modules[:4], _stuck(run.modules[4])]
    found = calibration_of(_of(modules, 3), "run")
    assert (found.family.not_judged, found.every.not_judged, found.judged) == (1, 4, 4)
    assert found.every.judged == 6
    assert "Not judged: null:k=4 predicts a single class in fold 2." in notes_of(found)


def test_base_that_is_not_judged_leaves_the_other_pairs() -> None:
    run = draw_run(4)
    found = calibration_of(_of([_stuck(run.modules[0]), *run.modules[1:]], 3), "run")
    assert (found.family.judged, found.single.judged, found.every.judged) == (0, 0, 6)
    assert "none was judged, since base is not" in notes_of(found)[0]


def test_a_block_that_failed_is_left_out_until_too_few_are_there() -> None:
    run = draw_run(3)
    dead = [m.model_copy(update={"folds": (), "repeats": (), "error": "no memory"}) for m in
            run.modules]  # fmt: skip
    found = calibration_of(_of([*run.modules[:3], dead[3]], 3), "run")
    assert [one.label for one in found.networks] == ["base", "null:k=1", "null:k=2"]
    with pytest.raises(UserError, match="base failed: no memory"):
        calibration_of(_of([dead[0], *run.modules[1:]], 3), "run")
    with pytest.raises(UserError, match="null:k=2 failed: no memory; null:k=3 failed"):
        calibration_of(_of([*run.modules[:2], *dead[2:]], 3), "run")


def test_of_one_training_nothing_is_judged() -> None:
    with pytest.raises(UserError, match="base was trained once on each fold"):
        calibration_of(draw_run(3, seeds=1), "run")


def test_sentences() -> None:
    found = calibration_of(draw_run(12, seed=1), "run")
    family = VerdictCounts(ahead=0, behind=0, equivalent=0, not_distinguishable=12, not_judged=0)
    single = VerdictCounts(ahead=1, behind=0, equivalent=0, not_distinguishable=11, not_judged=0)
    every = VerdictCounts(ahead=2, behind=1, equivalent=0, not_distinguishable=75, not_judged=0)
    counts = {"family": family, "single": single, "every": every}
    first, second, third, *_ = notes_of(found.model_copy(update=counts))
    assert first == (
        "12 blocks that do nothing but nudge their input by rounding were compared with base over "
        "new people and new trainings (18 subjects, 3 trainings of each of 3 folds), with Holm's "
        "correction: none was called ahead, none behind, none equivalent within 1 point, 12 not "
        "distinguishable."
    )
    assert "alone, at the 5 % level, 1 of 12 was called ahead or behind, where 0.6" in second
    assert "Of all 78 pairs, each alone, 3 were called ahead or behind: 3.8 %" in third
    assert "do not rely" not in third
    many = every.model_copy(update={"ahead": 40, "not_distinguishable": 37})
    assert "do not rely on them" in notes_of(found.model_copy(update={"every": many}))[2]


def test_drawn_faces_are_told_first() -> None:
    run = draw_run(2)
    drawn = run.model_copy(update={"data": run.data.model_copy(update={"drawn": True})})
    found = calibration_of(drawn, "run")
    assert notes_of(found)[0].startswith("Measured on drawn (synthetic) faces")
    assert "(drawn faces)" in to_markdown(found).splitlines()[0]
    assert to_json(found)["drawn_faces"] is True


def test_json_holds_the_rates_of_the_table() -> None:
    found = calibration_of(draw_run(4, ahead=0.3), "run")
    content = json.loads(json.dumps(to_json(found)))
    rate = content["rates"]["ahead_or_behind"]
    assert rate["rate"] == found.every.false_positives / 10
    assert 0 <= rate["low"] <= rate["rate"] <= rate["high"] <= 1
    assert set(content["rates"]) == {"ahead_or_behind", "equivalent", "not_distinguishable"}


def test_records_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    found = calibration_of(draw_run(3), "run")
    folder = write(found, tmp_path)
    assert open_calibration(folder) == open_calibration(folder / CALIBRATION) == found
    assert write(found, tmp_path) == folder
    assert (folder / "table.md").read_text(encoding="utf-8") == to_markdown(found)
    other = write(found.model_copy(update={"rope": 0.02}), tmp_path)
    assert other != folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"more": 1}, "more"),
        ({"rope": -0.1}, "rope"),
        ({"networks": []}, "networks"),
        ({"family": {"ahead": 9}}, "family"),
    ],
)
def test_records_that_contradict_the_layout(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    content = json.loads(dump(calibration_of(draw_run(3), "run")))
    (tmp_path / CALIBRATION).write_text(json.dumps(content | change), encoding="utf-8")
    with pytest.raises(UserError, match=rf"is no valid calibration: {message}"):
        open_calibration(tmp_path)


@pytest.mark.parametrize("part", ["family", "single", "every"])
def test_counts_that_do_not_fit_the_networks(part: str) -> None:
    content = json.loads(dump(calibration_of(draw_run(3), "run")))
    content[part]["ahead"] += 1
    with pytest.raises(ValueError, match="make"):
        CalibrationRecord.model_validate(content)


def test_a_folder_without_a_calibration(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        open_calibration(tmp_path)
