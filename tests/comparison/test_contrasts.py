"""Modules compared in pairs, against hand-worked values and SciPy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from agfer_bench.comparison.paired import subject_difference
from numpy.typing import NDArray
from scipy import stats

from agfer_bench.comparison.contrasts import Entrant, contrasts, subject_shares, survivor, why_folds
from agfer_bench.errors import UserError
from agfer_bench.records.run import FoldRecord, ModuleRecord
from tests.report.studies import CLASSES, diagonal, fold, module, record

Rights = NDArray[np.bool_]
"""(subjects, classes, images): whether an image was recognised."""


def _fold(number: int, rights: Rights, subjects: Sequence[int]) -> FoldRecord:
    """Judge some subjects; an image that was not recognised is taken for the next class."""
    right_M = rights.sum(axis=(0, 2))
    wrong_M = (~rights).sum(axis=(0, 2))
    confusion = np.diag(right_M) + np.roll(np.diag(wrong_M), 1, axis=1)
    return fold(number, tuple(tuple(map(int, line)) for line in confusion)).model_copy(
        update={
            "validation_images": rights.size,
            "train_images": rights.size,
            "recognised": {
                str(s): tuple(map(int, one.sum(axis=1)))
                for s, one in zip(subjects, rights, strict=True)
            },
        }
    )


def _folds(rights: Rights) -> list[FoldRecord]:
    """Divide the subjects between two folds."""
    half = len(rights) // 2
    parts = (range(half), range(half, len(rights)))
    return [_fold(n, rights[list(part)], part) for n, part in enumerate(parts)]


def _entrants(**modules: ModuleRecord) -> list[Entrant]:
    whole = record(list(modules.values()))
    seeds = max(len(one.seeds) for one in modules.values())
    protocol = whole.protocol.model_copy(update={"seeds": seeds})
    whole = whole.model_copy(update={"protocol": protocol})
    return [Entrant(label=name, module=one, record=whole) for name, one in modules.items()]


def _draw(shares: Sequence[float], seed: int, images: int = 4) -> Rights:
    random = np.random.default_rng(seed)
    return random.random((len(shares), len(CLASSES), images)) < np.reshape(shares, (-1, 1, 1))


def _frame(rights: Rights) -> pd.DataFrame:
    lines = [
        {
            "image": f"{s}-{c}-{i}",
            "subject": str(s),
            "true": CLASSES[c],
            "predicted": CLASSES[c] if right else CLASSES[(c + 1) % len(CLASSES)],
        }
        for (s, c, i), right in np.ndenumerate(rights)
    ]
    return pd.DataFrame(lines)


def test_over_subjects_against_predictions_and_scipy() -> None:
    one, other = _draw([0.8] * 8, 1), _draw([0.5] * 8, 2)
    entrants = _entrants(a=module("a", _folds(one)), b=module("b", _folds(other)))
    (found,) = contrasts(entrants)
    expected = subject_difference(_frame(one), _frame(other))
    assert expected is not None
    assert found.verdict.method == "sign-flip over subjects"
    assert found.verdict.estimate == pytest.approx(expected.estimate)
    # Classes have equally many images here, so a subject's share is his mean.
    differences = one.mean(axis=(1, 2)) - other.mean(axis=(1, 2))
    flips = np.array(list(itertools.product((1, -1), repeat=8)))
    means = (flips * differences).mean(axis=1)
    p = (np.abs(means) >= abs(differences.mean()) - 1e-12).mean()
    assert found.verdict.p == pytest.approx(p)
    assert found.adjusted == found.verdict.p, "a single pair needs no correction"


def test_shares_add_up_to_the_mean_recall() -> None:
    rights = _draw([0.7] * 6, 3)
    rights[:, 0, 2:] = False
    shares = subject_shares(module("a", _folds(rights)))
    assert shares is not None
    assert sum(shares.values()) == pytest.approx(rights.mean(axis=(0, 2)).mean())


def test_shares_add_up_to_the_accuracy_of_tables_with_folds_of_any_size() -> None:
    """The mean over folds, which is not the recall of all images together."""
    rights = _draw([0.9, 0.9, 0.2, 0.3, 0.4, 0.5, 0.6], 5)
    folds = [_fold(0, rights[:2], range(2)), _fold(1, rights[2:], range(2, 7))]
    one = module("a", folds)
    shares = subject_shares(one)
    assert shares is not None
    assert sum(shares.values()) == pytest.approx(np.mean(one.accuracies))
    assert sum(shares.values()) != pytest.approx(rights.mean(axis=(0, 2)).mean())
    other = module("b", [_fold(0, ~rights[:2], range(2)), _fold(1, ~rights[2:], range(2, 7))])
    (found,) = contrasts(_entrants(a=one, b=other))
    assert found.verdict.estimate == pytest.approx(
        np.subtract(one.accuracies, other.accuracies).mean()
    )


def test_the_order_of_folds_in_a_record_is_nothing() -> None:
    one = [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(5, 5, 5))]
    other = [fold(0, diagonal(8, 7, 7)), fold(1, diagonal(4, 4, 2))]
    (found,) = contrasts(_entrants(a=module("a", one), b=module("b", other)))
    (turned,) = contrasts(_entrants(a=module("a", one[::-1]), b=module("b", other)))
    assert turned == found


def test_who_keeps_others_from_being_compared_over_subjects_is_named() -> None:
    known = module("a", _folds(_draw([0.5] * 8, 1)))
    unknown = module("b", [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(8, 8, 8))])
    (line,) = why_folds(_entrants(a=known, b=unknown, c=known))
    assert line.startswith("Over folds, since b does not tell who was recognised")
    assert why_folds(_entrants(a=known, b=known)) == []
    assert why_folds(_entrants(a=unknown, b=unknown)) == []


def test_without_subjects_folds_are_compared() -> None:
    one = [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(8, 8, 8))]
    other = [fold(0, diagonal(7, 7, 7)), fold(1, diagonal(8, 7, 6))]
    (found,) = contrasts(_entrants(a=module("a", one), b=module("b", other)))
    differences = np.array([0.8 - 0.7, 0.8 - 0.7])
    assert found.verdict.method == "corrected t over folds"
    assert found.verdict.estimate == pytest.approx(differences.mean())


def test_the_correction_takes_the_share_of_a_fold() -> None:
    """Folds of 30 images, trained on 60: rho is 1/3, the variance s^2 (1/2 + 1/2)."""
    one = [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(9, 9, 9))]
    other = [fold(0, diagonal(7, 7, 7)), fold(1, diagonal(8, 7, 6))]
    (found,) = contrasts(_entrants(a=module("a", one), b=module("b", other)))
    differences = np.array([0.1, 0.2])
    t = differences.mean() / (differences.std(ddof=1) * np.sqrt(1 / 2 + 1 / 2))
    assert found.verdict.p == pytest.approx(2 * stats.t.sf(t, 1))


def test_seeds_are_averaged_and_never_replicates() -> None:
    rights = [_draw([0.75] * 8, seed) for seed in range(3)]
    other = module("b", _folds(_draw([0.5] * 8, 9)))
    three = module("a", _folds(rights[0]), repeats=tuple(tuple(_folds(r)) for r in rights[1:]))
    both = other.model_copy(update={"repeats": (other.folds, other.folds)})
    (found,) = contrasts(_entrants(a=three, b=both))
    assert found.verdict.units == 8, "as many subjects as there are people"
    single = [contrasts(_entrants(a=module("a", _folds(r)), b=other))[0] for r in rights]
    mean = np.mean([one.verdict.estimate for one in single])
    assert found.verdict.estimate == pytest.approx(mean)
    (folds,) = contrasts(_entrants(a=three, b=both), "folds")
    assert folds.verdict.units == 2, "as many folds as there are, however many seeds"


def test_holm_over_all_pairs_that_are_shown() -> None:
    modules = {name: module(name, _folds(_draw([0.5] * 10, n))) for n, name in enumerate("abcd")}
    found = contrasts(_entrants(**modules))
    assert [(one.first, one.second) for one in found] == list(itertools.combinations("abcd", 2))
    order = np.argsort([one.verdict.p for one in found])
    p = np.array([found[i].verdict.p for i in order])
    expected = np.minimum(1, np.maximum.accumulate(p * np.arange(6, 0, -1)))
    assert [found[i].adjusted for i in order] == pytest.approx(list(expected))
    assert all(one.pairs == 6 for one in found)


def test_the_best_is_named_only_if_it_beats_everyone() -> None:
    modules = {
        "good": module("good", _folds(_draw([0.95] * 14, 1))),
        "poor": module("poor", _folds(_draw([0.4] * 14, 2))),
        "worse": module("worse", _folds(_draw([0.35] * 14, 3))),
    }
    entrants = _entrants(**modules)
    assert survivor(entrants, contrasts(entrants)) == "good"
    rival = _entrants(**modules, rival=module("rival", _folds(_draw([0.95] * 14, 4))))
    assert survivor(rival, contrasts(rival)) is None, "good and rival are not distinguishable"
    assert survivor(entrants[:1], contrasts(entrants[:1])) is None, "nobody to beat"


def test_a_module_that_lacks_folds_is_left_out() -> None:
    folds = _folds(_draw([0.5] * 8, 1))
    entrants = _entrants(
        a=module("a", folds), b=module("b", folds), c=module("c", folds[:1], error="it broke")
    )
    assert [(one.first, one.second) for one in contrasts(entrants)] == [("a", "b")]


def test_mcnemar_only_for_one_image_of_each_subject() -> None:
    folds = []
    random = np.random.default_rng(0)
    for number, part in enumerate((range(10), range(10, 20))):
        confusion, known = np.zeros((3, 3), dtype=int), {}
        for s in part:
            right = bool(random.random() < 0.5)
            confusion[s % 3, s % 3 if right else (s + 1) % 3] += 1
            known[str(s)] = tuple(int(right and c == s % 3) for c in range(3))
        one = fold(number, tuple(tuple(map(int, line)) for line in confusion))
        folds.append(one.model_copy(update={"recognised": known, "validation_images": 10}))
    (found,) = contrasts(_entrants(a=module("a", folds), b=module("b", folds)), "images")
    assert (found.verdict.method, found.verdict.p) == ("McNemar", 1.0)
    several = module("a", _folds(_draw([0.5] * 8, 1)))
    with pytest.raises(UserError, match="one image of each subject"):
        contrasts(_entrants(a=several, b=several), "images")


def test_what_cannot_be_compared_over_subjects_says_so() -> None:
    unknown = module("a", [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(8, 8, 8))])
    with pytest.raises(UserError, match="a: the record does not say who was recognised"):
        contrasts(_entrants(a=unknown, b=unknown), "subjects")
    few = module("a", _folds(_draw([0.5] * 4, 1)))
    with pytest.raises(UserError, match="4 subjects are too few"):
        contrasts(_entrants(a=few, b=few), "subjects")
    (found,) = contrasts(_entrants(a=few, b=few))
    assert found.verdict.method == "corrected t over folds"


def test_sentences() -> None:
    one, other = _draw([0.5] * 8, 1), _draw([0.55] * 8, 2)
    entrants = _entrants(a=module("a", _folds(one)), b=module("b", _folds(other)))
    (found,) = contrasts(entrants)
    ahead, behind = ("a", "b") if found.verdict.estimate > 0 else ("b", "a")
    points = 100 * abs(found.verdict.estimate)
    assert found.sentence.startswith(f"{ahead} is ahead of {behind} by {points:.1f} points, 95 % ")
    assert found.sentence.endswith(": not distinguishable")
    (same,) = contrasts([entrants[0], entrants[0]])
    assert same.sentence.startswith("a and a differ by 0.0 points")
