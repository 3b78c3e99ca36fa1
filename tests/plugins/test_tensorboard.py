"""The tracker `tensorboard`: what TensorBoard reads back is the record's history."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from agfer_bench_tensorboard import start
from agfer_bench_tensorboard.logs import Logs
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from agfer_bench import EpochEvent, hookimpl
from agfer_bench.cli.app import main
from agfer_bench.errors import UserError
from agfer_bench.records.run import RunRecord
from tests.run.support import Runs, own

Curve = list[tuple[int, float]]


@pytest.fixture
def runs(blobs: Path, tmp_path: Path) -> Iterator[Runs]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Runs(blobs, tmp_path)
    torch.set_num_threads(threads)


def _read(folder: Path) -> dict[str, dict[str, Curve]]:
    """Return the curves of each folder below, by tag, as TensorBoard reads them."""
    found = {}
    for place in sorted({path.parent for path in folder.rglob("events.out.tfevents.*")}):
        events = EventAccumulator(str(place))
        events.Reload()
        found[place.relative_to(folder).as_posix()] = {
            tag: [(one.step, one.value) for one in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }
    return found


def _expected(record: RunRecord) -> dict[str, dict[str, Curve]]:
    found = {}
    for module in record.modules:
        for seed, folds in enumerate(module.seeds, 1):
            for fold in folds:
                label = module.label.replace(":", "_")
                curves: dict[str, Curve] = {"accuracy/final": []}
                for step, epoch in enumerate(fold.history):
                    curves.setdefault("loss", []).append((step, epoch.loss))
                    if epoch.validation_accuracy is not None:
                        curves.setdefault("accuracy/validation", []).append(
                            (step, epoch.validation_accuracy)
                        )
                curves["accuracy/final"] = [(max(0, len(fold.history) - 1), fold.accuracy)]
                name = f"{label}/fold-{fold.fold + 1}_seed-{seed}_{fold.job[:10]}"
                found[name] = curves
    return found


def _same(folder: Path, record: RunRecord) -> None:
    read, expected = _read(folder), _expected(record)
    assert read.keys() == expected.keys()
    for place, curves in expected.items():
        assert read[place].keys() == curves.keys()
        for tag, curve in curves.items():
            assert [step for step, _ in read[place][tag]] == [step for step, _ in curve]
            values = [value for _, value in curve]
            assert [value for _, value in read[place][tag]] == pytest.approx(values, rel=1e-6)


def test_it_reads_back_as_the_records_history(runs: Runs, tmp_path: Path) -> None:
    catalogue = own()
    catalogue.track(f"tensorboard={tmp_path / 'logs'}")
    record, _ = runs(
        "base,se:reduction=4,hog-svm",
        catalogue=catalogue,
        timing="skip",
        seeds=2,
        epochs=3,
        curve_every=2,
        image_size=64,
    )
    assert len(record.modules[1].trainings) == 4
    _same(tmp_path / "logs", record)


def test_what_was_done_before_is_written_too(runs: Runs, tmp_path: Path) -> None:
    runs("base", timing="skip")
    catalogue = own()
    catalogue.track(f"tensorboard={tmp_path / 'logs'}")
    for _ in range(2):
        record, _ = runs("base,se", catalogue=catalogue, timing="skip")
        _same(tmp_path / "logs", record)


def _event(epoch: int, loss: float) -> EpochEvent:
    return EpochEvent(
        module="se",
        fold=0,
        seed=0,
        epoch=epoch,
        epochs=4,
        loss=loss,
        validation_accuracy=None,
        seconds=1.0,
        job="0123456789abcdef",
        protocol="f",
    )


def test_epochs_are_there_as_they_end_and_those_that_come_again_count_once(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    place = "se/fold-1_seed-1_0123456789"
    for epoch, loss in ((0, 4.0), (1, 3.0), (2, 2.0)):
        logs.epoch_finished(_event(epoch, loss))
        assert _read(tmp_path)[place]["loss"][-1] == (epoch, loss)
    for epoch in range(4):  # from the beginning
        logs.epoch_finished(_event(epoch, 1.0))
    assert _read(tmp_path)[place]["loss"] == [(epoch, 1.0) for epoch in range(4)]
    other = Logs(tmp_path)  # as from a checkpoint, in a process of its own
    for epoch in (2, 3):
        other.epoch_finished(_event(epoch, 0.5))
    assert _read(tmp_path)[place]["loss"] == [(0, 1.0), (1, 1.0), (2, 0.5), (3, 0.5)]


def test_files_of_one_second_are_read_in_the_order_in_which_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Names hold a counter; here it passes from one digit to two.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(8))
    logs = Logs(tmp_path)
    epoch = SimpleNamespace(loss=1.0, validation_accuracy=0.5)
    folds = []
    for number in range(2):
        job = f"{number:064x}"[::-1]
        logs.epoch_finished(
            replace(_event(0, 1.0), fold=number, epochs=1, job=job, validation_accuracy=0.5)
        )
        folds.append(SimpleNamespace(fold=number, history=[epoch], job=job, accuracy=0.25))
    module = SimpleNamespace(label="se", seeds=[folds])
    logs.run_finished(SimpleNamespace(modules=[module]))
    read = _read(tmp_path)
    assert len(read) == 2
    for curves in read.values():
        assert curves == {
            "loss": [(0, 1.0)],
            "accuracy/validation": [(0, 0.5)],
            "accuracy/final": [(0, 0.25)],
        }


def test_it_cannot_start_without_a_folder_or_tensorboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="names no folder"):
        own().track("tensorboard")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        own().track(f"tensorboard={tmp_path / 'file'}")
    assert start(tmp_path)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "agfer_bench_tensorboard.find_spec",
        lambda name: None if name == "tensorboard" else found(name),
    )
    with pytest.raises(UserError, match=r"pip install 'agfer-bench\[tensorboard\]'"):
        own().track(f"tensorboard={tmp_path}")


def test_the_option_is_looked_at_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["agfer-bench", "run", "--track", "tensorbored=logs"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert "unknown tracker 'tensorbored'; did you mean 'tensorboard'?" in error
    assert not list(tmp_path.iterdir())


class Nothing:
    """Has no hook."""


class Misspelt:
    @hookimpl
    def epoch_ended(self) -> None:
        """Have a name that no hook has."""


@pytest.mark.parametrize(
    ("returned", "fault"), [(Nothing(), "no hook that hears"), (Misspelt(), "epoch_ended")]
)
def test_a_tracker_that_cannot_hear_is_named(returned: object, fault: str, tmp_path: Path) -> None:
    catalogue = own()
    entry = catalogue.trackers["tensorboard"]
    object.__setattr__(entry.spec, "start", lambda folder: returned)
    with pytest.raises(UserError, match=fault) as caught:
        catalogue.track(f"tensorboard={tmp_path}")
    assert "agfer-bench: tensorboard" in str(caught.value)
