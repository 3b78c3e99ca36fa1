"""What a plugin that follows runs is told, and what it hands over to be asked for by name.

Nothing here imports torch, as in `specs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EpochEvent:
    """One pass over a training fold has ended."""

    module: str
    """The module's name in tables, with the options that differ from their defaults."""
    fold: int
    """Number of the fold, counted from 0."""
    seed: int
    """Which of the protocol's seeds the network is trained with, counted from 0."""
    epoch: int
    """Number of the epoch, counted from 0. One comes again where a training starts again, say with
    smaller parts of a batch because memory ran out."""
    epochs: int
    """Epochs of the whole training."""
    loss: float
    """Mean training loss over the epoch's images, as optimised."""
    validation_accuracy: float | None
    """Mean per-class recall on the validation fold, 0..1; None where the protocol's `curve_every`
    passes the epoch over."""
    seconds: float
    """Wall-clock time of the epoch's training, in seconds; judging it is not in it."""
    job: str
    """SHA-256 that names the training by all that its numbers depend on; `FoldRecord.job`."""
    protocol: str
    """SHA-256 of every setting that moves a number; `RunRecord.protocol_fingerprint`."""


@dataclass(frozen=True, kw_only=True)
class TrackerSpec:
    """A tracker on offer, which follows a run when the user asks for it: `--track NAME=FOLDER`.

    ``start(folder, **options)`` is called once, before any work, and returns an object with methods
    that are marked with ``hookimpl``: `epoch_finished`, `run_finished`, or both. ``folder`` is the
    ``Path`` that the user named, or None. Keyword arguments after it are the tracker's options, set
    as ``NAME:option=value=FOLDER``. What the user can mend is raised as `UserError`.
    """

    name: str
    """What users type: lower-case letters, digits and dashes."""
    start: Callable[..., object]
    """Starts to follow; writes nothing before something happens."""
    summary: str
    """One line for listings."""
