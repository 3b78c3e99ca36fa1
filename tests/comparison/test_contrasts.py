"""Modules compared in pairs: which pairs, which verdicts, in which words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agfer_bench.comparison.contrasts import (
    Against,
    Contrast,
    Over,
    Question,
    accuracy_of,
    between_protocols,
    contrasts,
    ranks,
    why_folds,
)
from agfer_bench.comparison.outcomes import Entrant, shares_of
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
    protocol = whole.protocol.model_copy(update={"seeds": seeds, "split": "subject"})
    whole = whole.model_copy(update={"protocol": protocol})
    return [Entrant(label=name, module=one, record=whole) for name, one in modules.items()]


def _draw(shares: Sequence[float], seed: int, images: int = 4) -> Rights:
    random = np.random.default_rng(seed)
    return random.random((len(shares), len(CLASSES), images)) < np.reshape(shares, (-1, 1, 1))


def _module(
    label: str, share: float, seed: int, *, trainings: int = 3, subjects: int = 12
) -> ModuleRecord:
    """Draw a module that recognises so many images, trained several times."""
    sets = [tuple(_folds(_draw([share] * subjects, 100 * seed + n))) for n in range(trainings)]
    return module(label, list(sets[0]), repeats=tuple(sets[1:]))


def _all(entrants: Sequence[Entrant], over: Over = "auto") -> tuple[Contrast, ...]:
    return contrasts(entrants, Question(against="all", over=over))


def test_shares_add_up_to_the_accuracy_of_tables_with_folds_of_any_size() -> None:
    """A class may lack images in a fold, and folds may differ in size."""
    rights = _draw([0.9, 0.9, 0.2, 0.3, 0.4, 0.5, 0.6], 5)
    for one in (_fold(0, rights[:2], range(2)), _fold(1, rights[2:], range(2, 7))):
        shares = shares_of(one)
        assert shares is not None
        assert sum(shares.values()) == pytest.approx(one.accuracy)


def test_blocks_are_compared_with_base_or_all_with_all() -> None:
    entrants = _entrants(
        base=_module("base", 0.5, 1),
        a=_module("a", 0.5, 2),
        b=_module("b", 0.5, 3),
    )
    svm = _module("svm", 0.5, 4).model_copy(update={"kind": "classifier"})
    entrants.append(Entrant(label="svm", module=svm, record=entrants[0].record))

    def pairs(against: Against) -> list[tuple[str, str]]:
        found = contrasts(entrants, Question(against=against))
        assert {one.pairs for one in found} == {len(found)}
        return [(one.first, one.second) for one in found]

    assert pairs("base") == [("a", "base"), ("b", "base")], "a classifier is no block"
    assert pairs("all") == list(itertools.combinations(("base", "a", "b", "svm"), 2))
    assert len(contrasts(entrants[1:], Question())) == 3, "without base all are compared"


def test_what_was_trained_once_is_not_judged() -> None:
    def trained(trainings: int) -> Contrast:
        base = _module("base", 0.1, 1, trainings=trainings)
        better = _module("a", 0.9, 2, trainings=trainings)
        (found,) = contrasts(_entrants(base=base, a=better), Question())
        return found

    found = trained(1)
    assert found.verdict == "not judged"
    assert found.estimate > 0.5
    assert (found.difference, found.interval, found.adjusted, found.chances) == (None,) * 4
    assert found.sentence == "a and base are not judged: a was trained once on each fold"
    twice = _entrants(
        base=_module("base", 0.1, 1, trainings=2), a=_module("a", 0.9, 2, trainings=2)
    )
    (found,) = contrasts(twice, Question())
    assert found.verdict == "ahead"


def test_a_network_that_knows_one_class_in_a_fold_is_not_judged() -> None:
    stuck = [fold(0, ((10, 0, 0), (10, 0, 0), (10, 0, 0))), fold(1, diagonal(9, 9, 9))]
    other = [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(8, 8, 8))]
    entrants = _entrants(
        base=module("base", other, repeats=(tuple(other),)),
        a=module("a", other, repeats=(tuple(stuck),)),
        b=module("b", other, repeats=((other[0], fold(1, diagonal(8, 8, 7))),)),
    )
    first, second = contrasts(entrants, Question())
    assert first.why_not == "a predicts a single class in fold 1"
    assert (first.verdict, second.verdict) == ("not judged", "not distinguishable")
    assert second.pairs == 1, "what is not judged asks for no correction"


def test_the_order_of_folds_in_a_record_is_nothing() -> None:
    one = [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(5, 5, 5))]
    more = [fold(0, diagonal(9, 9, 7)), fold(1, diagonal(4, 5, 5))]
    other = [fold(0, diagonal(8, 7, 7)), fold(1, diagonal(4, 4, 2))]
    b = module("b", other, repeats=(tuple(one),))
    (found,) = _all(_entrants(a=module("a", one, repeats=(tuple(more),)), b=b))
    (turned,) = _all(_entrants(a=module("a", one[::-1], repeats=(tuple(more[::-1]),)), b=b))
    assert turned == found


def test_who_keeps_others_from_being_compared_over_subjects_is_named() -> None:
    known = module("a", _folds(_draw([0.5] * 8, 1)))
    few = module("a", _folds(_draw([0.5] * 4, 1)))
    unknown = module("b", [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(8, 8, 8))])
    (line,) = why_folds(_entrants(a=known, b=unknown, c=known))
    assert line.startswith("Over folds, since b does not tell who was recognised")
    assert why_folds(_entrants(a=known, b=known)) == []
    assert why_folds(_entrants(a=unknown, b=unknown)) == []
    assert why_folds(_entrants(a=few, b=few)) == [
        "Over folds, since 4 subjects are too few (at least 6)."
    ]


def test_the_correction_over_folds_takes_the_share_of_a_fold() -> None:
    """Folds of 30 images, trained on 60: s^2 (1/2 + 1/2), where trainings are alike."""
    one = [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(9, 9, 9))]
    other = [fold(0, diagonal(7, 7, 7)), fold(1, diagonal(8, 7, 6))]
    (found,) = _all(
        _entrants(
            a=module("a", one, repeats=(tuple(one),)), b=module("b", other, repeats=(tuple(other),))
        )
    )
    assert found.difference is not None
    assert (found.difference.unit, found.difference.df) == ("folds", 1)
    assert found.difference.error == pytest.approx(np.std([0.1, 0.2], ddof=1))


def test_holm_and_intervals_that_say_the_same() -> None:
    modules = {name: _module(name, 0.45 + 0.08 * n, n) for n, name in enumerate("abcd")}
    found = _all(_entrants(**modules))
    p = [one.difference.p for one in found if one.difference]
    order = np.argsort(p)
    expected = np.minimum(1, np.maximum.accumulate(np.sort(p) * np.arange(6, 0, -1)))
    assert [found[i].adjusted for i in order] == pytest.approx(list(expected))
    assert {one.distinguishable for one in found} == {True, False}, "else nothing is tested"
    for one in found:
        assert one.interval is not None
        assert one.difference is not None
        holds_0 = one.interval[0] <= 0 <= one.interval[1]
        assert holds_0 != one.distinguishable
        alone = one.difference.interval()
        assert alone is not None
        assert one.interval[0] <= alone[0] + 1e-12
        assert one.detectable is not None
        assert one.detectable > (one.difference.detectable() or 1), "correction included"


def test_verdicts() -> None:
    def verdict(estimate: float, rope: float, seed: int = 1) -> str:
        base = _module("base", 0.5, seed, subjects=40)
        other = _module("a", 0.5 + estimate, seed + 1, subjects=40)
        (found,) = contrasts(_entrants(base=base, a=other), Question(rope=rope))
        return found.verdict

    assert verdict(0.4, 0.01) == "ahead"
    assert verdict(-0.4, 0.01) == "behind"
    assert verdict(0.0, 0.01) == "not distinguishable"
    assert verdict(0.0, 0.3) == "equivalent"
    assert verdict(0.1, 0.6) == "equivalent", "a difference that nobody cares for"


def test_trainings_of_different_numbers_do_not_pair() -> None:
    base = _module("base", 0.5, 1, trainings=3)
    more = _module("a", 0.6, 2, trainings=5)
    entrants = [
        Entrant(label=one.label, module=one, record=_entrants(x=one)[0].record)
        for one in (base, more)
    ]
    (found,) = contrasts(entrants, Question())
    assert found.difference is not None
    assert found.difference.trainings == (5, 3)
    means = [np.mean(one.accuracies) for one in (more, base)]
    assert found.estimate == pytest.approx(means[0] - means[1])
    assert found.difference.estimate == pytest.approx(found.estimate)


def test_replicates_of_several_records_count_together() -> None:
    one, again = _module("a", 0.6, 1, trainings=1), _module("a", 0.6, 2, trainings=2)
    base = _module("base", 0.5, 3)
    pooled = Entrant(
        label="a",
        module=one,
        record=_entrants(a=one)[0].record,
        replicates=(*one.seeds, *again.seeds),
    )
    (found,) = contrasts([*_entrants(base=base), pooled], Question())
    assert found.difference is not None
    assert found.difference.trainings == (3, 3), "they do not pair, though they are as many"


def test_ranks_are_what_the_verdicts_leave_open() -> None:
    shares = {"good": 0.95, "fair": 0.55, "same": 0.55, "poor": 0.1}
    modules = {
        name: _module(name, share, n, subjects=30) for n, (name, share) in enumerate(shares.items())
    }
    assert ranks(_all(_entrants(**modules)), list(shares)) == {
        "good": (1, 1),
        "fair": (2, 3),
        "same": (2, 3),
        "poor": (4, 4),
    }


def test_a_module_that_lacks_folds_is_left_out() -> None:
    a, b = _module("a", 0.5, 1), _module("b", 0.5, 2)
    broken = b.model_copy(update={"label": "c", "folds": b.folds[:1], "error": "it broke"})
    assert [(x.first, x.second) for x in _all(_entrants(a=a, b=b, c=broken))] == [("a", "b")]


def test_what_cannot_be_compared_over_subjects_says_so() -> None:
    unknown = module("a", [fold(0, diagonal(9, 8, 7)), fold(1, diagonal(8, 8, 8))])
    with pytest.raises(UserError, match="a: the record does not say who was recognised"):
        _all(_entrants(a=unknown, b=unknown), "subjects")
    few = _module("a", 0.5, 1, subjects=4)
    with pytest.raises(UserError, match="4 subjects are too few"):
        _all(_entrants(a=few, b=_module("b", 0.5, 2, subjects=4)), "subjects")
    (found,) = _all(_entrants(a=few, b=_module("b", 0.5, 2, subjects=4)))
    assert found.difference is not None
    assert found.difference.unit == "folds"


def test_on_the_second_data_set() -> None:
    def tested(label: str, share: float, seed: int, *, known: bool = True) -> ModuleRecord:
        one = _module(label, 0.5, seed)
        sets = []
        for number, folds in enumerate(one.seeds):
            new = []
            for each in folds:
                rights = _draw([share] * 9, 1000 * seed + 10 * number + each.fold)
                own = _fold(0, rights, range(9))
                counts = {"all": own.recognised} if known else None
                new.append(
                    each.model_copy(
                        update={
                            "test_confusions": {"all": own.confusion},
                            "test_recognised": counts,
                        }
                    )
                )
            sets.append(tuple(new))
        return one.model_copy(update={"folds": sets[0], "repeats": tuple(sets[1:])})

    whole = _entrants(base=_module("base", 0.5, 1))[0].record
    whole = whole.model_copy(update={"test": whole.data.model_copy(update={"name": "others"})})
    modules = {"base": tested("base", 0.3, 1), "a": tested("a", 0.8, 2)}
    entrants = [Entrant(label=name, module=one, record=whole) for name, one in modules.items()]
    (found,) = contrasts(entrants, Question(on="test"))
    assert found.verdict == "ahead"
    assert found.difference is not None
    assert (found.difference.unit, found.difference.units) == ("subjects", 9)
    assert "over new people of others and new trainings" in found.sentence
    own = accuracy_of(entrants[1], Question(on="test"))
    assert own is not None
    assert own.estimate == pytest.approx(0.8, abs=0.1)
    unknown = Entrant(label="b", module=tested("b", 0.8, 3, known=False), record=whole)
    (silent,) = contrasts([entrants[0], unknown], Question(on="test"))
    assert silent.verdict == "not judged"
    assert "does not tell enough subjects" in silent.sentence


def test_between_protocols_the_same_people_are_needed() -> None:
    one, other = _entrants(a=_module("a", 0.7, 1), b=_module("b", 0.5, 2))
    found = between_protocols(one, other)
    assert found is not None
    assert found.estimate == pytest.approx(
        np.mean(one.module.accuracies) - np.mean(other.module.accuracies)
    )
    sets = [  # other folds of the same people: the halves exchanged
        tuple(
            _fold(1 - n, _draw([0.5] * 6, 50 + 2 * seed + n), range(6 * n, 6 * n + 6))
            for n in range(2)
        )
        for seed in range(3)
    ]
    (moved,) = _entrants(m=module("m", sets[0], repeats=tuple(sets[1:])))
    found = between_protocols(one, moved)
    assert found is not None
    assert found.trainings == (3, 3), "trainings of other folds do not pair"
    assert found.estimate == pytest.approx(
        np.mean(one.module.accuracies) - np.mean(moved.module.accuracies)
    )
    (few,) = _entrants(c=_module("c", 0.5, 3, subjects=10))
    assert between_protocols(one, few) is None
    (once,) = _entrants(d=_module("d", 0.5, 3, trainings=1))
    assert between_protocols(one, once) is None


def test_sentences() -> None:
    base, good = _module("base", 0.3, 1), _module("a", 0.9, 2)
    (found,) = contrasts(_entrants(base=base, a=good), Question())
    points = 100 * found.estimate
    assert found.sentence.startswith(
        f"a is ahead of base by {points:.1f} points over new people and new trainings, 95 % "
    )
    assert found.sentence.endswith(", p < 0.001")
    trained_on = [
        replace(
            one,
            record=one.record.model_copy(
                update={"protocol": one.record.protocol.model_copy(update={"split": "image"})}
            ),
        )
        for one in _entrants(base=base, a=good)
    ]
    (seen,) = contrasts(trained_on, Question())
    assert " over people who are in the training images too, and new trainings" in seen.sentence
    exchanged = [
        each.model_copy(update={"label": name}) for each, name in ((good, "base"), (base, "a"))
    ]
    (turned,) = contrasts(_entrants(base=exchanged[0], a=exchanged[1]), Question())
    assert turned.sentence.startswith(f"base is ahead of a by {points:.1f} points")
    (same,) = contrasts(_entrants(base=base, a=_module("a", 0.3, 5)), Question(rope=0.5))
    assert same.sentence.startswith(
        "a and base are equivalent within 50 points over new people and new trainings (probability "
    )
    (unsure,) = contrasts(_entrants(base=base, a=_module("a", 0.32, 6)), Question())
    assert " are not distinguishable over new people and new trainings: " in unsure.sentence
