"""What becomes of a job: numbers and predictions, or a failure as text."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace

import pandas as pd

from agfer_bench.errors import PluginError, describe
from agfer_bench.plugin.containment import contained, told
from agfer_bench.records.run import FoldRecord
from agfer_bench.run.jobs.classifier import ClassifierJob, run_classifier
from agfer_bench.run.jobs.network import DeviceLost, Job, OnEpoch, OnNote, run_job

AnyJob = Job | ClassifierJob
"""A network or a classifier of its own, to be trained on a fold."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job that ended well."""

    fold: FoldRecord
    """The numbers."""
    predictions: pd.DataFrame
    """A row for each image that was judged."""


@dataclass(frozen=True, kw_only=True)
class JobFailure:
    """What went wrong, as text: exceptions of strangers may not travel between processes."""

    text: str
    """One line."""
    named: bool
    """Whether the line names the distribution at fault."""
    trace: str
    """The traceback."""
    lost: bool = False
    """Whether the GPU does not answer this process any more."""

    @classmethod
    def of(cls, error: BaseException) -> JobFailure:
        """Put an exception into words."""
        return cls(
            text=describe(error),
            named=isinstance(error, PluginError),
            trace="".join(traceback.format_exception(error)),
            lost=isinstance(error, DeviceLost),
        )

    def but(self, more: str) -> JobFailure:
        """Add what else went wrong."""
        return replace(self, text=f"{self.text}; {more}")


JobResult = Done | JobFailure


def attempt(job: AnyJob, on_epoch: OnEpoch, on_note: OnNote) -> JobResult:
    """Run a job; what a stranger's code raises is a failure of this job alone.

    So is what it changes of the process: the next job finds everything as this one did.
    """
    failure, changes = None, []
    try:
        with contained() as changes:
            if isinstance(job, ClassifierJob):
                fold, predictions = run_classifier(job)
            else:
                fold, predictions = run_job(job, on_epoch, on_note)
    except (Exception, SystemExit) as error:
        failure = JobFailure.of(error)
    if changes:
        text = f"it {told(changes)} while it was trained; put back"
        failure = failure.but(text) if failure else JobFailure(text=text, named=False, trace=text)
    if failure is not None:
        return failure
    return Done(fold=fold, predictions=predictions)
