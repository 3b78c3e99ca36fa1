"""All repeats of a measurement, with the modules that fail struck out by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agfer_bench.errors import describe
from agfer_bench.measure.clock import TimingDeviceLost
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.specs import AttentionSpec
from agfer_bench.progress import Reporter
from agfer_bench.records.run import BASE
from agfer_bench.records.speed import CameraRecord, PeakRecord
from agfer_bench.records.timing import ConditionsRecord, SpeedRecord
from agfer_bench.run.timing.merge import found_sizes, found_ways, merge_cameras, merge_speeds
from agfer_bench.run.timing.messages import RepeatJob, RepeatResult, TimedModule, TimingFailure
from agfer_bench.run.timing.process import ProcessDied, run_in_process
from agfer_bench.run.timing.repeat import Heard, run_repeat

_PARTS = 100


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came of all repeats."""

    speeds: dict[str, SpeedRecord]
    """Of each module that stands, by label."""
    failures: dict[str, TimingFailure]
    """Of the others."""
    conditions: tuple[ConditionsRecord, ...] = ()
    """Around each repeat."""
    camera: CameraRecord | None = None
    """From frame to label."""
    peak: PeakRecord | None = None
    """The device's rates."""
    notes: tuple[str, ...] = ()
    """What went wrong apart from the modules."""


def measure_speed(
    job: RepeatJob, blocks: Mapping[str, Chosen[AttentionSpec]], reporter: Reporter
) -> Measured:
    """Time the modules of a job side by side, as often as the protocol says.

    The first repeat finds the tuned ways and the batch sizes; the others take the same. A module
    that fails in one repeat has no times; a process that dies is started again without the module
    that is to blame.

    Args:
        job: The first repeat.
        blocks: The modules by label, for repeats in this process.
        reporter: Hears of progress.
    """
    fresh = job.protocol.speed.fresh
    start = run_in_process if fresh else _in_this_process(blocks)
    work = _Work(start=start, total=job.protocol.speed.repeats, reporter=reporter)
    for number in range(work.total):
        job = work.repeat(job.model_copy(update={"number": number}))
        if not job.modules:
            break
    return work.measured(job)


Start = Callable[[RepeatJob, Heard], RepeatResult]


def _in_this_process(blocks: Mapping[str, Chosen[AttentionSpec]]) -> Start:
    def start(job: RepeatJob, heard: Heard) -> RepeatResult:
        last: list[str | None] = [None]

        def told(what: str, label: str | None, share: float) -> None:
            last[0] = label
            heard(what, label, share)

        def choose(module: TimedModule) -> Chosen[AttentionSpec]:
            return blocks[module.label]

        try:
            return run_repeat(job, choose, told, "shared")
        except TimingDeviceLost as error:
            raise ProcessDied(
                f"the device is lost: {error}", label=last[0], hung=False, log=""
            ) from error

    return start


@dataclass(kw_only=True)
class _Work:
    """Repeats done so far."""

    start: Start
    total: int
    reporter: Reporter
    results: list[RepeatResult] = field(default_factory=list)
    failures: dict[str, TimingFailure] = field(default_factory=dict)

    def repeat(self, job: RepeatJob) -> RepeatJob:
        """Do one repeat; return the job with the modules that stand and what the next one takes."""
        while job.modules:
            try:
                result = self.start(job, self._heard(job.number))
                break
            except ProcessDied as death:
                job = self._without(job, self._blame(job, death))
        else:
            return job
        self.results.append(result)
        job = self._without(job, result.failures)
        if job.number == 0:
            wanted = job.wanted.model_copy(update={"peak": False})
            ways, sizes = found_ways(result.speeds), found_sizes(result.speeds)
            job = job.model_copy(update={"ways": ways, "sizes": sizes, "wanted": wanted})
        return job

    def measured(self, job: RepeatJob) -> Measured:
        """Put the repeats together, for the modules that none lacks."""
        labels = [module.label for module in job.modules]
        cameras = [result.camera for result in self.results if result.camera is not None]
        notes = dict.fromkeys(note for result in self.results for note in result.notes)
        return Measured(
            speeds={
                label: merge_speeds([result.speeds[label] for result in self.results])
                for label in labels
            },
            failures=self.failures,
            conditions=tuple(r.conditions for r in self.results if r.conditions is not None),
            camera=merge_cameras(cameras, labels) if cameras and labels else None,
            peak=next((result.peak for result in self.results if result.peak is not None), None),
            notes=tuple(notes),
        )

    def _heard(self, number: int) -> Heard:
        def heard(what: str, label: str | None, share: float) -> None:
            detail = f"repeat {number + 1} of {self.total}, {what}"
            done = number * _PARTS + round(_PARTS * share)
            self.reporter.progress(
                "timing",
                min(done, self.total * _PARTS - 1),
                self.total * _PARTS,
                f"{detail}, {label}" if label else detail,
            )

        return heard

    def _without(self, job: RepeatJob, failures: Mapping[str, TimingFailure]) -> RepeatJob:
        self.failures |= failures
        return job.of(tuple(m.label for m in job.modules if m.label not in failures))

    def _blame(self, job: RepeatJob, death: ProcessDied) -> dict[str, TimingFailure]:
        """Find the modules that a process died of.

        One that hung tells by itself. Else each module is tried beside base in a process of its
        own. If all of these live, the module at hand when it died is to blame. If none lives, not
        even base alone, or none was at hand, all are.
        """
        owners = {module.label: module.distribution for module in job.modules}

        def failure(label: str, how: ProcessDied) -> TimingFailure:
            text = f"{owners[label]}: {describe(how).removeprefix('ProcessDied: ')}"
            return TimingFailure(where="timing", text=text, trace=how.log)

        if death.hung and death.label in owners:
            return {death.label: failure(death.label, death)}
        if BASE in owners and len(owners) > 1 and not death.hung:
            found = {}
            for label in (label for label in owners if label != BASE):
                how = self._probe(job, label)
                if how is not None:
                    found[label] = failure(label, how)
            all_of_them = len(found) == len(owners) - 1
            if found and not (all_of_them and self._probe(job, BASE)):
                return found
            if not found and death.label in owners and death.label != BASE:
                return {death.label: failure(death.label, death)}
        return {label: failure(label, death) for label in owners}

    def _probe(self, job: RepeatJob, label: str) -> ProcessDied | None:
        try:
            self.start(job.probe(label), lambda *_: None)
        except ProcessDied as death:
            return death
        return None
