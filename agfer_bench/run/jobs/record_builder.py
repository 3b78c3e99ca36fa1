"""One module on its way through a run, from a choice to a record."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from agfer_bench.plugin.catalogue import Chosen, is_classifier
from agfer_bench.plugin.specs import ModuleSpec
from agfer_bench.records.run import FoldRecord, MemoryFormat, ModuleRecord, SizeRecord
from agfer_bench.records.timing import SpeedRecord
from agfer_bench.run.identity import UNKNOWN, Identity
from agfer_bench.run.jobs.guarded import JobFailure


@dataclass(kw_only=True)
class RecordBuilder:
    """One module on its way to a record."""

    chosen: Chosen[ModuleSpec]
    """The block or classifier and its options."""
    folds: list[FoldRecord] = field(default_factory=list)
    """Folds that are trained."""
    repeats: list[list[FoldRecord]] = field(default_factory=list)
    """The same folds trained with further seeds, a list for each."""
    predictions: list[pd.DataFrame] = field(default_factory=list)
    """Their predictions, a frame a fold."""
    memory_format: MemoryFormat = "channels_last"
    """How its maps lie in memory."""
    memory_format_reason: str | None = None
    """Why they are not channels last, and what its author may write instead."""
    identity: Identity = UNKNOWN
    """What the block or classifier is, once it has been tried."""
    marks: tuple[str, ...] = ()
    """What its trial found that a reader should know."""
    size: SizeRecord | None = None
    """Parameters, operations, layers, once measured."""
    speed: SpeedRecord | None = None
    """Inference times, once measured."""
    error: str | None = None
    """The first thing that went wrong, in one line."""
    trace: str = ""
    """Its traceback."""

    def keep(self, seed: int, fold: FoldRecord) -> None:
        """Keep a fold that was trained with one of the seeds, numbered from 0."""
        while len(self.repeats) < seed:
            self.repeats.append([])
        (self.repeats[seed - 1] if seed else self.folds).append(fold)

    def fail(self, where: str, error: BaseException | JobFailure) -> None:
        """Keep the first thing that went wrong."""
        failure = error if isinstance(error, JobFailure) else JobFailure.of(error)
        owner = self.chosen.entry.distribution
        named = failure.text if failure.named else f"{owner}: {failure.text}"
        self.strike_out(where, named, failure.trace)

    def strike_out(self, where: str, named: str, trace: str) -> None:
        """Keep the first thing that went wrong, as a line that names the distribution."""
        if self.error is None:
            self.error = f"{where}: {named}" if where else named
            self.trace = trace

    def record(self) -> ModuleRecord:
        """Return what a run keeps of the row."""
        entry, network = self.chosen.entry, not is_classifier(self.chosen)
        return ModuleRecord(
            kind="attention" if network else "classifier",
            label=self.chosen.label,
            name=entry.spec.name,
            options=self.chosen.values,
            distribution=entry.distribution,
            version=entry.version,
            package_sha256=self.identity.code_sha256,
            memory_format=self.memory_format if network and (self.size or self.folds) else None,
            memory_format_reason=self.memory_format_reason,
            source=entry.spec.source,
            folds=tuple(self.folds),
            repeats=tuple(map(tuple, self.repeats)),
            size=self.size,
            speed=self.speed,
            marks=self.marks,
            error=self.error,
        )
