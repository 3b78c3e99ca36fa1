"""Records of networks with all the variance that the world has: people, trainings, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from tests.report.studies import data, fold, module, record

CLASSES = ("anger", "fear", "happiness", "sadness")
AGES = ("young", "middle", "old")
FOLDS, SUBJECTS, IMAGES = 3, 60, 3

Rights = NDArray[np.int64]
"""(subjects, classes): images of `IMAGES` that were recognised."""


class World:
    """People whose faces are easy or hard, and how networks are trained on them."""

    def __init__(
        self, seed: int, *, seeds: int = 3, seed_sd: float = 0.04, own_sd: float = 0.05
    ) -> None:
        """Draw people; `own_sd` is what a network makes of one person in every training."""
        self.random = random = np.random.default_rng(seed)
        self.seeds, self.seed_sd, self.own_sd = seeds, seed_sd, own_sd
        self.person_N = random.normal(0, 0.10, SUBJECTS)

    def network(self, label: str, gain_NM: NDArray[np.float64] | float = 0.0) -> ModuleRecord:
        """Train a network that recognises more by so much, of each person and class."""
        random = self.random
        own_NM = random.normal(0, self.own_sd, (SUBJECTS, len(CLASSES)))
        likely_NM = 0.6 + gain_NM + self.person_N[:, None] + own_NM
        sets = []
        for seed in range(self.seeds):
            folds = []
            for number in range(FOLDS):
                everybody = random.normal(0, self.seed_sd * np.sqrt(FOLDS))
                each_M = random.normal(0, self.seed_sd, len(CLASSES))
                moved = likely_NM + everybody + each_M
                right_NM = random.binomial(IMAGES, np.clip(moved, 0, 1))
                folds.append(_fold(label, seed, number, right_NM))
            sets.append(tuple(folds))
        return module(label, sets[0], repeats=tuple(sets[1:]), speed=None, size=None)

    def record(self, *modules: ModuleRecord, **settings: Any) -> RunRecord:
        """Put networks into a run."""
        test = data("portraits", CLASSES, groups=dict.fromkeys(AGES, 4 * IMAGES * SUBJECTS // 3))
        found = record(modules, folds=FOLDS, classes=CLASSES, test=test)
        changes = {"seeds": self.seeds, "split": "subject", **settings}
        return found.model_copy(update={"protocol": found.protocol.model_copy(update=changes)})


def entrants(one: RunRecord) -> list[Entrant]:
    return [Entrant(label=m.label, module=m, record=one) for m in one.modules]


def gain_in(name: str, gain: float) -> NDArray[np.float64]:
    """Gain in one class, age group or subject (by number) alone: (N, M)."""
    found = np.zeros((SUBJECTS, len(CLASSES)))
    if name in CLASSES:
        found[:, CLASSES.index(name)] = gain
    elif name in AGES:
        found[_ages() == name] = gain
    else:
        found[int(name)] = gain
    return found


def _ages() -> NDArray[np.str_]:
    return np.array([AGES[n * len(AGES) // SUBJECTS] for n in range(SUBJECTS)])


def _confusion(right_NM: Rights) -> tuple[tuple[int, ...], ...]:
    right_M = right_NM.sum(axis=0)
    wrong_M = IMAGES * len(right_NM) - right_M
    found = np.diag(right_M) + np.roll(np.diag(wrong_M), 1, axis=1)
    return tuple(tuple(map(int, line)) for line in found)


def _recognised(right_NM: Rights, subjects: Sequence[int]) -> dict[str, tuple[int, ...]]:
    return {str(n): tuple(map(int, right_NM[n])) for n in subjects}


def _fold(label: str, seed: int, number: int, right_NM: Rights) -> FoldRecord:
    """Judge the fold's own people; and all of them, as if they were those of a second data set."""
    here = [n for n in range(SUBJECTS) if n % FOLDS == number]
    of_age: Mapping[str, list[int]] = {
        age: [int(n) for n in np.flatnonzero(_ages() == age)] for age in AGES
    }
    return fold(
        number,
        _confusion(right_NM[here]),
        test={age: _confusion(right_NM[who]) for age, who in of_age.items()},
    ).model_copy(
        update={
            "job": f"{label}-{number}-{seed}",
            "train_images": IMAGES * len(CLASSES) * (SUBJECTS - len(here)),
            "validation_images": IMAGES * len(CLASSES) * len(here),
            "recognised": _recognised(right_NM, here),
            "test_recognised": {age: _recognised(right_NM, who) for age, who in of_age.items()},
        }
    )
