"""What `agfer-bench calibrate` leaves behind: verdicts on blocks that do nothing."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from agfer_bench.protocol import Protocol
from agfer_bench.records.base import Record
from agfer_bench.records.run import DataRecord, EnvironmentRecord

CALIBRATION_SCHEMA_VERSION: Final = 1


class VerdictCounts(Record):
    """How often each verdict was given on pairs of which none differs."""

    ahead: int = Field(ge=0)
    """Pairs whose first was called ahead: wrong."""
    behind: int = Field(ge=0)
    """Pairs whose first was called behind: wrong."""
    equivalent: int = Field(ge=0)
    """Pairs that were called equivalent: right."""
    not_distinguishable: int = Field(ge=0)
    """Pairs that were called not distinguishable: right, but it says less."""
    not_judged: int = Field(ge=0)
    """Pairs of which nothing was said."""

    @property
    def judged(self) -> int:
        """Pairs of which something was said."""
        return self.ahead + self.behind + self.equivalent + self.not_distinguishable

    @property
    def false_positives(self) -> int:
        """Pairs that were called different."""
        return self.ahead + self.behind

    @property
    def pairs(self) -> int:
        """All pairs."""
        return self.judged + self.not_judged


class CalibratedNetwork(Record):
    """Base, or a block that does nothing."""

    label: str
    """Name in tables: the block and its options."""
    accuracy: float = Field(ge=0, le=1)
    """Mean accuracy over folds and trainings, 0..1."""
    base_weights: bool
    """Whether every training ended in base's weights, to the last bit."""
    why_not: str
    """Why nothing was said of it; empty where something was."""


class SpreadRecord(Record):
    """How far results of the same network lie apart. Deviations are of accuracies, 0..1."""

    training_sd: float = Field(ge=0)
    """Standard deviation of one training within a fold, pooled over folds and networks."""
    seed_sd: float = Field(ge=0)
    """Standard deviation over seeds of a network's mean over folds, pooled over networks."""
    largest_seed_sd: float = Field(ge=0)
    """The largest such standard deviation of a network."""
    network_sd: float = Field(ge=0)
    """Standard deviation of the networks' mean accuracies."""
    seed_correlation: float | None = Field(ge=-1, le=1)
    """Correlation of trainings of two networks with the same seed, within folds (intraclass
    correlation, consistency); None where nothing scatters."""
    shares: dict[str, float]
    """Share of each source in the variance of a difference, 0..1, median over all pairs:
    `subjects` (or `folds`), `trainings` and `rest`. Empty where nothing scatters."""


class PlanRecord(Record):
    """What it takes to find a true difference with a chance of 80 %."""

    effect: float = Field(gt=0, lt=1)
    """The difference, 0..1."""
    seeds: int | None = Field(ge=2)
    """Trainings of each fold, with these subjects: median over all pairs; None where no number of
    them would do."""
    subjects: int | None = Field(ge=1)
    """Where no number of trainings would do: subjects, with the trainings of this calibration. None
    where seeds suffice, where no number of subjects would do, and where subjects are not known."""


class CalibrationRecord(Record):
    """Blocks that do nothing, compared with base and with each other."""

    kind: Literal["calibration"] = "calibration"
    """Tells this record from that of a run."""
    schema_version: Literal[1] = CALIBRATION_SCHEMA_VERSION
    """Version of this layout."""
    version: str
    """Version of agfer-bench whose verdicts were counted."""
    run: str
    """Name of the folder with the run's own record, in the same output folder."""
    ground: str
    """SHA-256 of what runs share whose accuracies compare with these: settings, images, folds."""
    protocol: Protocol
    """Every setting."""
    data: DataRecord
    """The images."""
    test: DataRecord | None = None
    """The second data set, which is not judged here; None where there was none."""
    environment: EnvironmentRecord
    """The machine and the software."""
    networks: tuple[CalibratedNetwork, ...] = Field(min_length=3)
    """Base, then the blocks that do nothing."""
    unit: Literal["subjects", "folds", "trainings"]
    """What, beside trainings, differences were judged over; `trainings` where these alone vary, on
    an official split without known subjects."""
    units: int = Field(ge=2)
    """Number of subjects or folds, or of trainings."""
    population: str
    """What the verdicts speak of, in words: `over new people and new trainings`."""
    rope: float = Field(ge=0, lt=1)
    """Half the region of practical equivalence, 0..1."""
    family: VerdictCounts
    """Each block against base, adjusted together (Holm)."""
    single: VerdictCounts
    """Each block against base, each as if it were the only one."""
    every: VerdictCounts
    """All networks against each other, each pair as if it were the only one."""
    spread: SpreadRecord
    """How far results of the same network lie apart."""
    planned_pairs: int = Field(ge=1)
    """Number of pairs for whose correction `plan` allows."""
    plan: tuple[PlanRecord, ...]
    """What it takes to find differences, the smallest first; empty where nothing scatters."""
    finished: str
    """When the run ended: ISO 8601, UTC."""

    @model_validator(mode="after")
    def _counts_fit_the_networks(self) -> Self:
        blocks = len(self.networks) - 1
        if self.family.pairs != blocks or self.single.pairs != blocks:
            raise ValueError(f"{blocks} blocks make {blocks} pairs with base")
        if self.every.pairs != blocks * (blocks + 1) // 2:
            raise ValueError(f"{blocks + 1} networks make {blocks * (blocks + 1) // 2} pairs")
        judged = self.judged
        if self.every.judged != judged * (judged - 1) // 2:
            raise ValueError(f"{judged} judged networks make {judged * (judged - 1) // 2} pairs")
        return self

    @property
    def blocks(self) -> int:
        """Number of blocks that do nothing."""
        return len(self.networks) - 1

    @property
    def judged(self) -> int:
        """Number of networks of which something was said."""
        return sum(not one.why_not for one in self.networks)

    @property
    def drawn(self) -> bool:
        """Whether any of the faces are drawn."""
        return self.data.drawn or (self.test is not None and self.test.drawn)
