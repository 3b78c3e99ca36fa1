"""The hooks that a plugin may implement.

A plugin is a module (or an object) that an installed distribution names in its entry-point group
``agfer_bench`` and that holds functions marked with ``@agfer_bench.hookimpl``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from agfer_bench.plugin.specs import (
    AttentionSpec,
    ClassifierSpec,
    DatasetSpec,
    DetectorSpec,
    EpochEvent,
    TrackerSpec,
)

if TYPE_CHECKING:
    from agfer_bench.records.run import RunRecord

PROJECT = "agfer_bench"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def attention_modules() -> Sequence[AttentionSpec]:
    """Return the attention blocks this plugin offers.

    Called once, before any data is read, and once in each process that trains for `--jobs`. Return
    specs, not modules: the harness builds a fresh block for every slot of every fold.
    """
    raise AssertionError("a hook specification is never called")


@hookspec
def face_classifiers() -> Sequence[ClassifierSpec]:
    """Return the classifiers of their own this plugin offers: rows without the host.

    Called when `attention_modules` is. Return specs: the harness builds a fresh classifier for
    every fold.
    """
    raise AssertionError("a hook specification is never called")


@hookspec
def face_datasets() -> Sequence[DatasetSpec]:
    """Return the face data sets this plugin can read.

    Called once, before any data is read. Return specs: `DatasetSpec.read` is called only for the
    data set that the user names.
    """
    raise AssertionError("a hook specification is never called")


@hookspec
def face_detectors() -> Sequence[DetectorSpec]:
    """Return the face detectors this plugin offers in place of the paper's cascades.

    Called when `attention_modules` is. Return specs: `DetectorSpec.load` is called only for the
    detector that the user names in `--detector`.
    """
    raise AssertionError("a hook specification is never called")


@hookspec
def run_trackers() -> Sequence[TrackerSpec]:
    """Return the trackers this plugin offers to follow runs when users ask for them.

    Called when `attention_modules` is. Return specs: `TrackerSpec.start` is called only for a
    tracker that the user names in `--track`.
    """
    raise AssertionError("a hook specification is never called")


@hookspec
def epoch_finished(event: EpochEvent) -> None:
    """Take notice of an epoch's end, say to draw a learning curve as it grows.

    Called in the process of the command as epochs end, with `--jobs` those of several trainings by
    turns. The training waits for it. An exception is reported once, with the plugin's name; the
    hook is then left alone for the rest of the run. Trainings taken from the store have no epochs.
    """


@hookspec
def run_finished(record: RunRecord, folder: Path) -> None:
    """Take notice of a finished run, say to upload it.

    Called once at the end of `agfer-bench run`, after everything is written to `folder`; by `paper`
    and `ablate`, which are several runs, at the end of each that is not there already. An exception
    is reported with the plugin's name and changes nothing else.
    """


def manager_of(plugin: object) -> pluggy.PluginManager:
    """Register a plugin; raise what is wrong with its hooks."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(sys.modules[__name__])
    manager.register(plugin)
    manager.check_pending()
    return manager
