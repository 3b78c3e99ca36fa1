"""Head start or higher ceiling: is a block sooner where base gets to, or does it end above it?

Every training of a block is held against the one of base with the same seed and fold. Differences
are judged over trainings (`inference.over_trainings`), which are nested in folds: those of
accuracies as they are, those of operations as logarithms of ratios. What is found holds for new
trainings on the same folds of the same people, and says nothing of new people.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from agfer_bench.comparison.contrasts import why_not_judged
from agfer_bench.comparison.inference import ALPHA, Difference, holm, over_trainings
from agfer_bench.comparison.learning_curves import LearningCurve, curve_of
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.errors import UserError
from agfer_bench.records.run import BASE, ModuleRecord, RunRecord

Verdict = Literal["faster", "higher", "both", "neither", "not judged"]
"""What is said of a block, held against base."""

SHARES = (0.5, 0.75, 0.9)
"""Parts of the way from chance to base's accuracy at convergence whose costs are told."""
DECIDES = 0.75
"""The part of the way that decides whether a block is faster."""
POPULATION = "over new trainings on these folds of these people, not over new people"
"""What differences and verdicts speak of, in words."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A block less base: an accuracy, 0..1, or the logarithm of a ratio of operations."""

    difference: Difference
    """The difference, judged alone."""
    p: float
    """The p value that is adjusted: the difference's own, or that of all that a verdict asks."""
    adjusted: float
    """The same adjusted for all that was asked together (Holm)."""

    @property
    def estimate(self) -> float:
        """Mean over the trainings of all folds."""
        return self.difference.estimate

    @property
    def found(self) -> bool:
        """Whether it survives the correction at the 5 % level."""
        return self.adjusted <= ALPHA

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval, adjusted; None where nothing scatters."""
        return self.difference.interval(ALPHA * self.p / self.adjusted if self.adjusted else ALPHA)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What it takes a network to an accuracy.

    A training that never gets there is censored: it counts with all epochs up to the cap, so that
    means with such trainings are too small.
    """

    accuracy: float
    """The accuracy, 0..1."""
    epochs_KS: NDArray[np.float64]
    """(K, S) epochs of each training."""
    seconds_KS: NDArray[np.float64]
    """(K, S) seconds of training."""
    operations: float
    """Multiply-accumulates of an epoch; NaN where they are not counted."""
    reached_KS: NDArray[np.bool_]
    """(K, S) whether the training got there."""

    @property
    def never(self) -> int:
        """Number of trainings that did not get there."""
        return int((~self.reached_KS).sum())


@dataclass(frozen=True, kw_only=True)
class NetworkCurves:
    """A network's trainings as curves: K folds, S trainings of each."""

    label: str
    """Name in tables."""
    curves: tuple[tuple[LearningCurve, ...], ...]
    """Trainings of each fold."""
    plateau_KS: NDArray[np.float64]
    """(K, S) epochs of the plateaus, from 1; NaN where none came by the cap."""
    why_not: str
    """Why nothing is said of it; empty where something is."""
    why_no_verdict: str = ""
    """Why its convergence is not judged, beyond `why_not`; empty where it is."""

    def per_training(self, read: Callable[[LearningCurve], float]) -> NDArray[np.float64]:
        """Return a number of each training: (K, S)."""
        return np.array([[read(curve) for curve in fold] for fold in self.curves])

    @property
    def chance(self) -> float:
        """Accuracy of an even guess."""
        return self.curves[0][0].chance

    @property
    def operations(self) -> float:
        """Multiply-accumulates of an epoch, backward included; mean over folds.

        NaN where they are not counted.
        """
        return float(self.per_training(lambda curve: curve.operations).mean())

    @property
    def counted(self) -> bool:
        """Whether its operations are counted."""
        return not math.isnan(self.operations)

    @property
    def converged(self) -> NDArray[np.float64]:
        """(K, S) accuracies at convergence, 0..1; NaN where no plateau came."""
        return np.array(
            [
                [
                    math.nan if math.isnan(at) else curve.converged(int(at))
                    for curve, at in zip(curves, plateaus, strict=True)
                ]
                for curves, plateaus in zip(self.curves, self.plateau_KS, strict=True)
            ]
        )

    def cost(self, accuracy_KS: NDArray[np.float64] | float) -> Cost:
        """Return what it takes to an accuracy: one for all trainings, or one for each (K, S)."""
        whole_KS = np.broadcast_to(accuracy_KS, self.plateau_KS.shape)
        found_KS = np.array(
            [
                [curve.epochs_to(float(to)) for curve, to in zip(curves, row, strict=True)]
                for curves, row in zip(self.curves, whole_KS, strict=True)
            ],
            dtype=np.float64,
        )
        reached_KS = ~np.isnan(found_KS)
        cap_KS = self.per_training(lambda curve: curve.epochs)
        epochs_KS = np.where(reached_KS, found_KS, cap_KS)
        seconds = [
            [curve.seconds_at(epoch) for curve, epoch in zip(curves, row, strict=True)]
            for curves, row in zip(self.curves, epochs_KS, strict=True)
        ]
        return Cost(
            accuracy=float(whole_KS.mean()),
            epochs_KS=epochs_KS,
            seconds_KS=np.array(seconds),
            operations=self.operations,
            reached_KS=reached_KS,
        )


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Operations of a block to an accuracy, over base's; a description, no verdict."""

    to: float
    """The accuracy, 0..1."""
    difference: Difference
    """Of the logarithms of operations, alone and not adjusted."""


@dataclass(frozen=True, kw_only=True)
class BlockComparison:
    """A block held against base."""

    label: str
    """Name in tables."""
    at_epochs: Effect | None
    """Accuracy at equal epochs; adjusted for all blocks."""
    at_operations: Effect | None
    """Accuracy at equal operations; adjusted for all blocks."""
    at_convergence: Effect | None
    """Accuracy at convergence; adjusted for both questions of all blocks."""
    to_base: Effect | None
    """Log ratio of the operations to the accuracy that decides; likewise."""
    to_own: Effect | None
    """Log ratio of the operations to the same part of the way to each training's own accuracy at
    convergence; likewise."""
    ratios: tuple[Ratio, ...]
    """Ratios of operations to all accuracies that are told."""
    why_not: str
    """Why there is no verdict; empty where there is one."""

    @property
    def verdict(self) -> Verdict:
        """What is said of it."""
        if self.why_not or not (self.at_convergence and self.to_base and self.to_own):
            return "not judged"
        # Both ratios are adjusted with the same p value, that of the less sure one.
        faster = self.to_base.found and self.to_base.estimate < 0
        higher = self.at_convergence.found and self.at_convergence.estimate > 0
        if faster and higher:
            return "both"
        return "faster" if faster else "higher" if higher else "neither"

    @property
    def against(self) -> tuple[str, ...]:
        """What is found against the block: `slower`, `lower`."""
        found = []
        if self.to_base and self.to_base.found and self.to_base.estimate > 0:
            found.append("slower")
        if self.at_convergence and self.at_convergence.found and self.at_convergence.estimate < 0:
            found.append("lower")
        return tuple(found) if self.verdict != "not judged" else ()


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """Base and blocks, trained until nothing more comes."""

    record: RunRecord
    """The run; its epochs are the cap."""
    epochs: int
    """Epochs at which networks are compared at equal epochs: those of an ordinary run. No training
    may stop before."""
    networks: tuple[NetworkCurves, ...]
    """Base, then the blocks."""
    decides: float | None
    """Accuracy whose operations decide whether a block is faster; None where base has no accuracy
    at convergence."""
    accuracies: tuple[float, ...]
    """Accuracies whose costs are told, 0..1, rising."""
    blocks: tuple[BlockComparison, ...]
    """The blocks, each held against base."""
    failed: tuple[str, ...]
    """Rows without all trainings, and why."""

    @property
    def base(self) -> NetworkCurves:
        """Base."""
        return self.networks[0]

    @property
    def cap(self) -> int:
        """Epochs of every training."""
        return self.record.protocol.epochs


def convergence_of(record: RunRecord, epochs: int, to: Sequence[float] = ()) -> Convergence:
    """Derive everything from a run that judged its networks after every epoch.

    Args:
        record: The run: base and blocks at a constant learning rate, each epoch judged.
        epochs: Epochs of an ordinary run, at most those of `record`.
        to: Accuracies whose costs are told, 0..1; empty for `SHARES`. They change no verdict.

    Raises:
        UserError: Base failed, no block is left, or an accuracy of `to` is not above chance.
    """
    chance = 1 / len(record.data.classes)
    for accuracy in to:
        if not chance < accuracy < 1:
            raise UserError(
                f"--to {100 * accuracy:g}: give accuracies in per cent above chance, "
                f"{100 * chance:.1f}, and below 100"
            )
    networks = [one for module in record.modules if (one := _network(module, record, epochs))]
    failed = _failed(record, {one.label for one in networks})
    if not networks or networks[0].label != BASE or len(networks) < 2:
        raise UserError(
            "; ".join(failed) or "converge holds blocks against base: name a block with --modules"
        )
    decides, *shares = (_way(networks[0], share) for share in (DECIDES, *SHARES))
    accuracies = tuple(sorted(to)) or tuple(one for one in shares if one is not None)
    return Convergence(
        record=record,
        epochs=epochs,
        networks=tuple(networks),
        decides=decides,
        accuracies=accuracies,
        blocks=judge(networks, epochs, accuracies),
        failed=failed,
    )


def _way(base: NetworkCurves, share: float) -> float | None:
    """Return the accuracy a part of the way from chance to base's; None where it has none."""
    if base.why_not or base.why_no_verdict:
        return None
    return base.chance + share * (float(base.converged.mean()) - base.chance)


def _network(module: ModuleRecord, record: RunRecord, epochs: int) -> NetworkCurves | None:
    """Return a network's curves; None for a classifier, or where trainings are missing."""
    size = module.size
    if module.kind != "attention" or size is None or not module.complete(record.protocol):
        return None
    entrant = Entrant(label=module.label, module=module, record=record)
    by_seed = [
        [curve_of(fold, record.protocol, size.macs, len(record.data.classes)) for fold in one]
        for one in entrant.trainings
    ]
    curves = tuple(
        tuple(curve for curve in fold if curve is not None) for fold in zip(*by_seed, strict=True)
    )
    if any(len(fold) < len(by_seed) for fold in curves):
        return None
    return network_of(module.label, curves, epochs, why_not_judged(entrant))


def network_of(
    label: str,
    curves: Sequence[Sequence[LearningCurve]],
    epochs: int,
    why_not: str = "",
) -> NetworkCurves:
    """Find the plateaus of a network's trainings.

    Args:
        label: Name in tables.
        curves: S trainings of each of K folds.
        epochs: The earliest epoch at which training may stop.
        why_not: Why nothing is said of it.
    """
    plateau_KS = np.array(
        [[curve.plateau(epochs) or math.nan for curve in fold] for fold in curves]
    )
    network = NetworkCurves(
        label=label,
        curves=tuple(map(tuple, curves)),
        plateau_KS=plateau_KS,
        why_not=why_not,
    )
    return replace(network, why_no_verdict=_why_no_verdict(network))


def _why_no_verdict(one: NetworkCurves) -> str:
    if not one.counted:
        return f"operations of {one.label} are not counted"
    cap, of = one.curves[0][0].epochs, one.plateau_KS.size
    missing = int(np.isnan(one.plateau_KS).sum())
    if missing:
        return (
            f"{missing} of {of} trainings of {one.label} reached no plateau by epoch {cap}: train "
            f"longer, with --cap {2 * cap}"
        )
    low = int((one.converged <= one.chance).sum())
    if low:
        return f"{low} of {of} trainings of {one.label} are not above chance at convergence"
    return ""


def _failed(record: RunRecord, whole: set[str]) -> tuple[str, ...]:
    return tuple(
        f"{one.label}: {one.error or 'not all epochs of all trainings were judged'}"
        for one in record.modules
        if one.kind == "attention" and one.label not in whole
    )


def judge(
    networks: Sequence[NetworkCurves], epochs: int, accuracies: Sequence[float] = ()
) -> tuple[BlockComparison, ...]:
    """Hold every block against base, each family of questions adjusted together.

    Args:
        networks: Base, then blocks, with the same folds and seeds.
        epochs: Epochs at which they are compared at equal epochs.
        accuracies: Accuracies to which ratios of operations are told, 0..1.
    """
    base, *blocks = networks
    decides = _way(base, DECIDES)
    alive = [one for one in blocks if not (one.why_not or base.why_not)]
    at_epochs = {one.label: _difference(_at(one, epochs), _at(base, epochs)) for one in alive}
    spent = epochs * base.operations
    counted = [one for one in alive if one.counted and base.counted]
    at_operations = {
        one.label: _difference(_at(one, spent / one.operations), _at(base, epochs))
        for one in counted
    }
    whole = [one for one in alive if not (one.why_no_verdict or base.why_no_verdict)]
    higher, to_base, to_own = {}, {}, {}
    for one in whole:
        assert decides is not None, "base converged"
        higher[one.label] = _difference(one.converged, base.converged)
        to_base[one.label] = _log_ratio(one.cost(decides), base.cost(decides))
        to_own[one.label] = _log_ratio(one.cost(_own(one)), base.cost(_own(base)))
    faster = {label: _both(to_base[label], to_own[label]) for label in to_base}
    # Two questions of each block decide its verdict, and are adjusted together.
    decisive = {("higher", label): one.p for label, one in higher.items()}
    decisive |= {("faster", label): p for label, p in faster.items()}
    adjusted = _adjusted(decisive)

    def effect(found: Mapping[str, Difference], label: str, question: str) -> Effect | None:
        if label not in found:
            return None
        key = question, label
        return Effect(difference=found[label], p=decisive[key], adjusted=adjusted[key])

    epochs_alone, operations_alone = _alone(at_epochs), _alone(at_operations)
    return tuple(
        BlockComparison(
            label=one.label,
            at_epochs=epochs_alone.get(one.label),
            at_operations=operations_alone.get(one.label),
            at_convergence=effect(higher, one.label, "higher"),
            to_base=effect(to_base, one.label, "faster"),
            to_own=effect(to_own, one.label, "faster"),
            ratios=tuple(
                Ratio(to=to, difference=_log_ratio(one.cost(to), base.cost(to)))
                for to in (accuracies if one in counted else ())
            ),
            why_not=_why_not(base, one, higher.get(one.label)),
        )
        for one in blocks
    )


_Key = TypeVar("_Key", bound=Hashable)


def _adjusted(p: Mapping[_Key, float]) -> dict[_Key, float]:
    """Adjust p values for their number (Holm)."""
    return dict(zip(p, map(float, holm(list(p.values()))), strict=True))


def _alone(found: Mapping[str, Difference]) -> dict[str, Effect]:
    """Adjust a question for the number of blocks."""
    adjusted = _adjusted({label: one.p for label, one in found.items()})
    return {
        label: Effect(difference=one, p=one.p, adjusted=adjusted[label])
        for label, one in found.items()
    }


def _why_not(base: NetworkCurves, one: NetworkCurves, higher: Difference | None) -> str:
    reasons = (base.why_not, one.why_not, base.why_no_verdict, one.why_no_verdict)
    found = next((reason for reason in reasons if reason), "")
    if not found and higher is not None and higher.constant and abs(higher.estimate) > 0:
        return (
            f"{one.label} and {base.label} differ by the same in all trainings of a fold, so that "
            "nothing tells how sure that is"
        )
    return found


def _at(one: NetworkCurves, epoch: float) -> NDArray[np.float64]:
    return one.per_training(lambda curve: curve.at(epoch))


def _own(one: NetworkCurves) -> NDArray[np.float64]:
    """Return the accuracies that are `DECIDES` of the way to each training's own: (K, S)."""
    return one.chance + DECIDES * (one.converged - one.chance)


def _difference(first_KS: NDArray[np.float64], second_KS: NDArray[np.float64]) -> Difference:
    """Judge a paired difference over new trainings on the same folds."""
    return over_trainings([first_KS - second_KS])


def _log_ratio(first: Cost, second: Cost) -> Difference:
    logs = [np.log(each.epochs_KS * each.operations) for each in (first, second)]
    return _difference(logs[0], logs[1])


def _both(first: Difference, second: Difference) -> float:
    """Return the p value of two differences that must both be found, with one sign.

    The larger of two p values is one for both together: the intersection-union test (Berger 1982,
    doi:10.1080/00401706.1982.10487790).
    """
    if first.estimate * second.estimate <= 0:
        return 1.0
    return max(first.p, second.p)
