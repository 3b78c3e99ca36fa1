"""A run of blocks that do nothing -> how often they were called different, and why.

Networks that do the same differ by their training alone. Whatever a comparison calls different
among them is a false positive, and how far they lie apart says what a comparison can find.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import median_high

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from agfer_bench import __version__
from agfer_bench.comparison.comparable import ground_of
from agfer_bench.comparison.contrasts import (
    ROPE,
    Contrast,
    Pair,
    Question,
    of_pairs,
    why_not_judged,
)
from agfer_bench.comparison.inference import ALPHA, Difference
from agfer_bench.comparison.outcomes import Entrant, accuracies
from agfer_bench.errors import UserError
from agfer_bench.records.calibration import (
    CalibratedNetwork,
    CalibrationRecord,
    PlanRecord,
    SpreadRecord,
    VerdictCounts,
)
from agfer_bench.records.run import BASE, ModuleRecord, RunRecord
from agfer_bench.report.verdicts import entrants_of, shares_of

EFFECTS = (0.01, 0.02, 0.03, 0.05)
"""Differences for which the seeds are told, 0..1."""
PLANNED_PAIRS = 3
"""Pairs for whose correction the plan allows: base with each of the three default blocks."""
FEWEST_BLOCKS = 2
"""Fewest blocks that do nothing from which anything can be told."""


def calibration_of(record: RunRecord, run: str, rope: float = ROPE) -> CalibrationRecord:
    """Count the verdicts on a run whose blocks do nothing.

    Args:
        record: The run: base, and blocks that do nothing.
        run: Name of its folder.
        rope: Half the region of practical equivalence, 0..1.

    Raises:
        UserError: Base or all blocks but one failed, or nothing can be judged; it says why.
    """
    whole = _trained(record)
    question = Question(rope=rope)
    against_base = [(one, whole[0]) for one in whole[1:]]
    every = _alone(list(combinations(whole, 2)), question)
    differences = [one.difference for one in every if one.difference is not None]
    if not differences:
        raise UserError(f"nothing can be judged: {every[0].why_not}")
    base = whole[0].module
    return CalibrationRecord(
        version=__version__,
        run=run,
        ground=ground_of(record).key,
        protocol=record.protocol,
        data=record.data,
        test=record.test,
        environment=record.environment,
        networks=tuple(_network(one, base) for one in whole),
        unit=differences[0].unit,
        units=differences[0].units,
        population=every[0].population,
        rope=rope,
        family=_counts(of_pairs(against_base, question)),
        single=_counts(_alone(against_base, question)),
        every=_counts(every),
        spread=_spread([one for one in whole if not why_not_judged(one)], differences),
        planned_pairs=PLANNED_PAIRS,
        plan=tuple(_plan(differences)),
        finished=record.finished,
    )


def rate_interval(record: CalibrationRecord, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of all judged pairs, 0..1.

    Pairs share networks. The differences of two pairs with one network in common correlate by 1/2
    where no two networks differ, and what depends on the size of such differences alone by at most
    1/4 (Lancaster 1957, doi:10.1093/biomet/44.1-2.289). All pairs of M networks then tell at least
    as much as M - 1 independent ones, for which this is Clopper and Pearson's interval: rather too
    wide than too narrow. It holds for verdicts that do not depend on the sign.

    Args:
        record: The calibration.
        count: Number of pairs among all judged ones.
    """
    share, independent = count / record.every.judged, record.judged - 1
    low, high = proportion_confint(share * independent, independent, ALPHA, "beta")
    return float(low), float(high)


def _trained(record: RunRecord) -> list[Entrant]:
    """Return the networks that were trained on all folds, base first."""
    whole = [one for one in entrants_of(record) if one.complete]
    failed = [f"{one.label} failed: {one.error}" for one in record.modules if one.error]
    enough = len(whole) > FEWEST_BLOCKS and whole[0].label == BASE
    if not enough:
        raise UserError("; ".join(failed) or "base and two blocks that do nothing are needed")
    return whole


def _alone(pairs: Sequence[Pair], question: Question) -> list[Contrast]:
    """Compare pairs, each as if it were the only one."""
    return [
        replace(one, adjusted=one.difference.p, pairs=1) if one.difference else one
        for one in of_pairs(pairs, question)
    ]


def _counts(found: Sequence[Contrast]) -> VerdictCounts:
    counts = Counter(one.verdict for one in found)
    return VerdictCounts(
        ahead=counts["ahead"],
        behind=counts["behind"],
        equivalent=counts["equivalent"],
        not_distinguishable=counts["not distinguishable"],
        not_judged=counts["not judged"],
    )


def _network(one: Entrant, base: ModuleRecord) -> CalibratedNetwork:
    weights, of_base = (
        [fold.final_weights_sha256 for fold in module.trainings] for module in (one.module, base)
    )
    return CalibratedNetwork(
        label=one.label,
        accuracy=float(accuracies(one, "validation").mean()),
        base_weights=None not in weights and weights == of_base,
        why_not=why_not_judged(one),
    )


def _spread(judged: Sequence[Entrant], differences: Sequence[Difference]) -> SpreadRecord:
    found_MKS = np.array([accuracies(one, "validation") for one in judged])
    by_seed_M = found_MKS.mean(axis=1).std(axis=1, ddof=1)
    return SpreadRecord(
        training_sd=math.sqrt(found_MKS.var(axis=2, ddof=1).mean()),
        seed_sd=math.sqrt((by_seed_M**2).mean()),
        largest_seed_sd=float(by_seed_M.max()),
        network_sd=float(found_MKS.mean(axis=(1, 2)).std(ddof=1)),
        seed_correlation=_seed_correlation(found_MKS),
        shares=shares_of(differences),
    )


def _seed_correlation(found_MKS: NDArray[np.float64]) -> float | None:
    """Return the correlation of two networks' trainings with one seed, pooled over folds.

    It is the intraclass correlation of consistency (Shrout & Fleiss 1979,
    doi:10.1037/0033-2909.86.2.420, ICC(3,1)): seeds are rated by networks.
    """
    networks, folds, seeds = found_MKS.shape
    around_MKS = found_MKS - found_MKS.mean(axis=2, keepdims=True)
    shared_KS = around_MKS.mean(axis=0)
    between = networks * float((shared_KS**2).sum()) / (folds * (seeds - 1))
    rest = float(((around_MKS - shared_KS) ** 2).sum()) / (folds * (seeds - 1) * (networks - 1))
    whole = between + (networks - 1) * rest
    return (between - rest) / whole if whole > 0 else None


def _plan(differences: Sequence[Difference]) -> list[PlanRecord]:
    alpha = ALPHA / PLANNED_PAIRS
    known = [one for one in differences if not one.constant]
    return [_planned(known, effect, alpha) for effect in EFFECTS] if known else []


def _planned(known: Sequence[Difference], effect: float, alpha: float) -> PlanRecord:
    def middle(read: Callable[[Difference], int | None]) -> int | None:
        """Return the median, of two middle ones the larger; what never suffices counts as most."""
        numbers = (read(one) for one in known)
        found = median_high(math.inf if number is None else number for number in numbers)
        return None if math.isinf(found) else int(found)

    seeds = middle(lambda one: one.trainings_to_find(effect, alpha))
    subjects = None
    if seeds is None and known[0].unit == "subjects":
        subjects = middle(lambda one: one.units_to_find(effect, alpha))
    return PlanRecord(effect=effect, seeds=seeds, subjects=subjects)
