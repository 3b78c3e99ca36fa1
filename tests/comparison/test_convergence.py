"""Head start or higher ceiling: rules by hand, and verdicts on simulated learning curves."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from agfer_bench.comparison.convergence import DECIDES, NetworkCurves, judge, network_of
from agfer_bench.comparison.inference import over_trainings
from agfer_bench.comparison.learning_curves import FALL, SPAN, LearningCurve
from tests.comparison.simulated_curves import (
    BASE,
    BOTH,
    EPOCHS,
    FASTER,
    FOLDS,
    HIGHER,
    LOWER,
    SEEDS,
    Truth,
    World,
    simulate,
)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Keep statsmodels, which collects garbage each time, from looking at the whole process."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _curve(
    accuracy: Sequence[float] | NDArray[np.float64],
    loss: Sequence[float] | NDArray[np.float64] | None = None,
    operations: float = 1.0,
) -> LearningCurve:
    accuracy_E = np.asarray(accuracy, dtype=np.float64)
    epochs = len(accuracy_E)
    return LearningCurve(
        loss_E=np.asarray(np.linspace(2, 1, epochs) if loss is None else loss, dtype=np.float64),
        accuracy_E=accuracy_E,
        seconds_E=np.arange(2.0, 2 * epochs + 1, 2),
        operations=operations,
        chance=0.1,
    )


def test_the_accuracy_at_an_epoch_is_that_of_the_epochs_around_it() -> None:
    curve = _curve([0.1, 0.2, 0.3, 0.6, 0.8, 0.4, 0.9])
    assert curve.smooth[3] == pytest.approx(np.mean([0.2, 0.3, 0.6, 0.8, 0.4]))
    assert curve.smooth[0] == pytest.approx(0.2), "fewer at the ends"
    assert curve.smooth[-1] == pytest.approx(np.mean([0.8, 0.4, 0.9]))
    assert curve.at(4) == curve.smooth[3]
    assert curve.at(4.5) == pytest.approx((curve.smooth[3] + curve.smooth[4]) / 2)
    assert curve.at(0) == 0.1, "before training"


def test_epochs_and_seconds_to_an_accuracy() -> None:
    curve = _curve(np.linspace(0.11, 0.30, 20))  # smoothing leaves a line a line, but for its ends
    assert curve.epochs_to(0.2) == pytest.approx(10)
    assert curve.epochs_to(0.205) == pytest.approx(10.5)
    assert curve.seconds_at(10.5) == pytest.approx(21)
    assert curve.epochs_to(0.115) == pytest.approx(0.015 / 0.02), "from chance at the start"
    assert curve.epochs_to(0.4) is None
    assert _curve([0.5] * 8).epochs_to(0.5) == pytest.approx(1)


def test_a_plateau_is_where_the_smoothed_loss_hardly_falls() -> None:
    falling = np.concatenate((np.linspace(2.0, 1.0, 41)[:-1], np.full(40, 1.0)))
    curve = _curve(np.full(80, 0.5), falling)

    def falls_little(epoch: int) -> bool:
        last, before = falling[epoch - SPAN : epoch], falling[epoch - 2 * SPAN : epoch - SPAN]
        return bool(before.mean() - last.mean() <= FALL * (falling[0] - last.mean()))

    found = curve.plateau(32)
    assert found == next(epoch for epoch in range(32, 81) if falls_little(epoch))
    assert 50 < found < 60
    assert curve.plateau(70) == 70, "never before the epochs of an ordinary run"
    assert _curve(np.full(40, 0.5), falling[:40]).plateau(32) is None
    assert _curve(np.full(19, 0.5), np.ones(19)).plateau(1) is None, "too short to be seen"
    rising = _curve(np.full(60, 0.5), np.linspace(1, 2, 60))
    assert rising.plateau(20) is None, "a loss that never fell has no plateau"


def test_what_comes_after_a_plateau_has_no_part_in_it() -> None:
    random = np.random.default_rng(0)
    loss = 1 + np.exp(-np.arange(90) / 10) + random.normal(0, 0.01, 90)
    accuracy = np.array(1 - loss / 3)
    found = _curve(accuracy, loss).plateau(32)
    assert found is not None
    changed = np.concatenate((loss[:found], loss[found:] - 0.5))
    other = np.concatenate((accuracy[:found], accuracy[found:] + 0.3))
    assert _curve(other, changed).plateau(32) == found
    converged = _curve(other, changed).converged(found)
    assert converged == _curve(accuracy, loss).converged(found)
    assert converged == pytest.approx(accuracy[found - SPAN : found].mean())


def _networks(seed: int, *truths: Truth, folds: int = FOLDS) -> list[NetworkCurves]:
    return simulate(np.random.default_rng(seed), *truths, folds=folds)


@pytest.mark.parametrize("place", [0, 1])
def test_without_a_count_of_operations_only_equal_epochs_are_compared(place: int) -> None:
    networks = _networks(1, FASTER)
    one = networks[place]
    curves = [[replace(curve, operations=np.nan) for curve in fold] for fold in one.curves]
    networks[place] = network_of(one.label, curves, EPOCHS)
    (found,) = judge(networks, EPOCHS, (0.5,))
    assert (found.verdict, found.ratios, found.at_operations) == ("not judged", (), None)
    assert found.why_not == f"operations of {one.label} are not counted"
    assert found.at_epochs is not None


def test_differences_are_those_of_the_inference_over_trainings() -> None:
    networks = _networks(1, Truth(ceiling=0.9, time=7, macs=1.2))
    base, block = networks
    (found,) = judge(networks, EPOCHS)

    def at(one: NetworkCurves, epoch: float) -> NDArray[np.float64]:
        return np.array([[curve.at(epoch) for curve in fold] for fold in one.curves])

    assert found.at_epochs is not None
    assert found.at_epochs.difference == over_trainings([at(block, 32) - at(base, 32)])
    assert found.at_operations is not None
    assert found.at_operations.difference.estimate == pytest.approx(
        over_trainings([at(block, 32 / 1.2) - at(base, 32)]).estimate
    )
    assert found.at_convergence is not None
    assert found.at_convergence.difference == over_trainings([block.converged - base.converged])
    target = 1 / 6 + DECIDES * (base.converged.mean() - 1 / 6)
    logs = [
        np.log([[(curve.epochs_to(target) or np.nan) * curve.operations for curve in fold]
                for fold in one.curves])
        for one in networks
    ]  # fmt: skip
    assert found.to_base is not None
    assert found.to_base.estimate == pytest.approx(float((logs[1] - logs[0]).mean()))
    # The pair is judged with the p value of the less sure of its two ratios.
    assert found.to_own is not None
    ps = [found.to_base.difference.p, found.to_own.difference.p]
    assert found.to_base.p == found.to_own.p == max(ps)


def test_operations_count_not_epochs() -> None:
    """The same curves at twice the operations: behind at equal operations, and slower."""
    base, _ = _networks(2, BASE)
    curves = [[replace(one, operations=2 * one.operations) for one in fold] for fold in base.curves]
    costly = network_of("costly", curves, EPOCHS)
    (found,) = judge([base, costly], EPOCHS)
    assert found.at_epochs is not None
    assert found.at_epochs.estimate == 0
    assert found.at_operations is not None
    assert found.at_operations.estimate < -0.03
    assert found.to_base is not None
    assert found.to_base.estimate == pytest.approx(np.log(2))
    assert found.verdict == "neither"


def test_intervals_leave_out_none_exactly_where_the_verdict_does() -> None:
    verdicts = set()
    for seed in range(30):
        for one in judge(_networks(seed, FASTER, HIGHER, BASE), EPOCHS):
            assert one.at_convergence is not None
            assert one.to_base is not None
            assert one.to_own is not None
            ends = [effect.interval for effect in (one.to_base, one.to_own)]
            assert (one.verdict in ("faster", "both")) == all(end and end[1] < 0 for end in ends)
            low, _ = one.at_convergence.interval or (0, 0)
            assert (one.verdict in ("higher", "both")) == (low > 0)
            verdicts.add(one.verdict)
    assert verdicts >= {"faster", "higher", "neither"}


def _above(one: NetworkCurves, by_K: Sequence[float]) -> NetworkCurves:
    """Return a network with the same curves, higher by a constant on each fold."""
    curves = [
        [replace(curve, accuracy_E=curve.accuracy_E + by) for curve in fold]
        for fold, by in zip(one.curves, by_K, strict=True)
    ]
    return network_of("above", curves, EPOCHS)


@pytest.mark.parametrize("by_K", [(0.01, 0.01, 0.01), (0.0, 0.01, 0.02)])
def test_differences_that_do_not_scatter_within_folds_are_not_judged(
    by_K: tuple[float, ...],
) -> None:
    base, _ = _networks(3, BASE)
    (found,) = judge([base, _above(base, by_K)], EPOCHS)
    assert found.verdict == "not judged"
    assert "differ by the same in all trainings of a fold" in found.why_not


def test_the_error_is_that_of_paired_trainings_within_folds() -> None:
    """Student's t, the variance pooled over folds: what a fold shifts has no part in it."""
    base, block = _networks(5, Truth(ceiling=0.84))
    shifted = _above(block, (-0.05, 0.0, 0.05))
    (found,) = judge([base, block], EPOCHS)
    (other,) = judge([base, shifted], EPOCHS)
    assert found.at_convergence is not None
    assert other.at_convergence is not None
    difference = found.at_convergence.difference
    paired_KS = block.converged - base.converged
    error = np.sqrt(paired_KS.var(axis=1, ddof=1).mean() / paired_KS.size)
    assert difference.unit == "trainings"
    assert difference.df == FOLDS * (SEEDS - 1)
    assert difference.error == pytest.approx(error)
    t = paired_KS.mean() / error
    assert difference.p == pytest.approx(2 * stats.t.sf(t, FOLDS * (SEEDS - 1)))
    assert other.at_convergence.difference.p == pytest.approx(difference.p)


def test_a_network_at_chance_is_not_judged() -> None:
    (found,) = judge(_networks(4, Truth(ceiling=1 / 6)), EPOCHS)
    assert found.verdict == "not judged"
    assert "are not above chance at convergence" in found.why_not


def _counted(comparisons: int, *truths: Truth, folds: int = FOLDS) -> list[Counter[str]]:
    """Count the verdicts on each block, base and all blocks drawn anew each time."""
    counts: list[Counter[str]] = [Counter() for _ in truths]
    for seed in range(comparisons):
        found = judge(_networks(seed, *truths, folds=folds), EPOCHS)
        for count, one in zip(counts, found, strict=True):
            count[one.verdict] += 1
            count.update(one.against)
    return counts


@pytest.mark.parametrize("folds", [FOLDS, pytest.param(5, marks=pytest.mark.slow)])
def test_blocks_that_do_nothing_are_called_neither(folds: int) -> None:
    """At most 1 comparison in 20 calls any of three such blocks faster, and likewise higher.

    They have no effect on any fold, since verdicts speak of these folds.
    """
    comparisons, faster, higher = 200, 0, 0
    for seed in range(comparisons):
        networks = _networks(seed, BASE, BASE, BASE, folds=folds)
        said = {one.verdict for one in judge(networks, EPOCHS)}
        faster += not said.isdisjoint({"faster", "both"})
        higher += not said.isdisjoint({"higher", "both"})
        assert "not judged" not in said
    assert faster <= comparisons / 20
    assert higher <= comparisons / 20


def test_a_block_that_ends_early_and_low_is_not_called_faster() -> None:
    (count,) = _counted(40, LOWER)
    assert count["neither"] == 40
    assert count["lower"] >= 38


@pytest.mark.parametrize(
    ("comparisons", "folds"), [(200, FOLDS), pytest.param(200, 5, marks=pytest.mark.slow)]
)
def test_constructed_cases_are_told_apart(comparisons: int, folds: int) -> None:
    counts = _counted(comparisons, FASTER, HIGHER, BASE, folds=folds)
    right = [
        count[wanted] for count, wanted in zip(counts, ("faster", "higher", "neither"), strict=True)
    ]
    assert min(right) >= 0.95 * comparisons, counts


@pytest.mark.slow
def test_a_block_that_is_both_is_called_both() -> None:
    (count,) = _counted(200, BOTH)
    assert count["both"] >= 190


@pytest.mark.slow
@pytest.mark.parametrize(
    "world",
    [
        World(fold=0.0, ceiling=0.005, time=0.05, epoch=0.01),
        World(time=0.3, ceiling=0.05),
        World(fold=0.10, epoch=0.06),
    ],
    ids=["calm", "wild trainings", "hard folds and noise"],
)
def test_nothing_is_found_in_other_worlds_either(world: World) -> None:
    """Of the networks that can be judged."""
    wrong = judged = 0
    for seed in range(200):
        networks = simulate(np.random.default_rng(seed), BASE, world=world)
        (found,) = judge(networks, EPOCHS)
        judged += found.verdict != "not judged"
        wrong += found.verdict in ("faster", "higher", "both")
    assert judged >= 150
    assert wrong <= 0.06 * judged
