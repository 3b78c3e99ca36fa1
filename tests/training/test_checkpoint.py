"""Checkpoints: a training that goes on from one ends bit for bit as an unbroken one."""

from __future__ import annotations

import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agfer_bench.protocol import Protocol
from agfer_bench.records.run import EpochRecord
from agfer_bench.seeds import seeded
from agfer_bench.training.checkpoint import BatchParts, CheckpointPlace, Keeper, Unusable
from agfer_bench.training.loop import Fit, fit
from tests.training.test_loop import CLASSES, CPU, _images, _order, _protocol

KEY, SEED = "a" * 64, 7


class _Drawing(nn.Module):
    """A network that draws from all three generators, with running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, CLASSES)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        if self.training:
            x = x * (1 + 0.1 * random.gauss(0, 1) + 0.1 * float(np.random.randn()))
        logits: Tensor = self.head(self.drop(x.mean(dim=(2, 3))))
        return logits


class _Stopped(Exception):
    pass


def _stop_at(last: int) -> Callable[[int, EpochRecord], None]:
    def heard(epoch: int, record: EpochRecord) -> None:
        if epoch == last:
            raise _Stopped

    return heard


def _keeper(path: Path, notes: list[str] | None = None, **changes: Any) -> Keeper:
    place = CheckpointPlace(path=path, seconds=changes.pop("seconds", 0.0))
    told = [] if notes is None else notes
    return Keeper(place, changes.pop("key", KEY), CPU, told.append)


def _train(
    protocol: Protocol,
    keeper: Keeper | None = None,
    heard: Callable[[int, EpochRecord], None] = lambda epoch, record: None,
    micro_batch: int | None = None,
) -> tuple[Fit, nn.Module]:
    with seeded(CPU, 0):
        network = _Drawing()
    with seeded(CPU, SEED):
        done = fit(
            network,
            _images(),
            _order(protocol),
            protocol,
            None,
            heard,
            lambda: float(torch.rand(())),
            micro_batch=micro_batch,
            keeper=keeper,
        )
        network.register_buffer("after", torch.rand(3) + random.random() + np.random.rand())
    return done, network


def _losses(done: Fit) -> list[tuple[float, float | None]]:
    return [(epoch.loss, epoch.validation_accuracy) for epoch in done.history]


def _equal(one: nn.Module, other: nn.Module) -> bool:
    mine, others = one.state_dict(), other.state_dict()
    return mine.keys() == others.keys() and all(torch.equal(mine[n], others[n]) for n in mine)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimiser": "sgd"},
        {"optimiser": "adamw"},
        {"schedule": "cosine", "warmup": 0.4, "clip_norm": 0.5, "label_smoothing": 0.1},
    ],
)
@pytest.mark.parametrize("micro_batch", [None, 3])
@pytest.mark.parametrize("stopped", [(1,), (2, 4)])
def test_a_training_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path, settings: dict[str, Any], micro_batch: int | None, stopped: tuple[int, ...]
) -> None:
    protocol = _protocol(**settings, epochs=6, curve_every=2)
    whole, unbroken = _train(protocol, micro_batch=micro_batch)
    path = tmp_path / "job.pt"
    for last in stopped:
        keeper = _keeper(path)
        keeper.find()
        keeper.begin(BatchParts(micro_batch=micro_batch, reason="why"))
        with pytest.raises(_Stopped):
            _train(protocol, keeper, _stop_at(last), micro_batch)
    notes: list[str] = []
    keeper = _keeper(path, notes)
    assert keeper.find() == BatchParts(micro_batch=micro_batch, reason="why")
    heard: list[int] = []
    done, network = _train(protocol, keeper, lambda epoch, _: heard.append(epoch), micro_batch)
    assert heard == list(range(stopped[-1], 6)), "the epoch that was under way, and what follows"
    assert _equal(network, unbroken), "the generators too"
    assert _losses(done) == _losses(whole)
    assert done.peak_memory_bytes == whole.peak_memory_bytes
    assert notes == []
    keeper.remove()
    assert list(tmp_path.iterdir()) == []


def test_no_checkpoint_before_memory_is_counted(tmp_path: Path) -> None:
    """With one step an epoch, the second one has the optimiser's state beside it."""
    protocol = _protocol(epochs=4, batch_size=32)
    whole, unbroken = _train(protocol)
    with pytest.raises(_Stopped):
        _train(protocol, _keeper(tmp_path / "job.pt"), _stop_at(1))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(_Stopped):
        _train(protocol, _keeper(tmp_path / "job.pt"), _stop_at(2))
    keeper = _keeper(tmp_path / "job.pt")
    assert keeper.find() is not None
    done, network = _train(protocol, keeper)
    assert done.peak_memory_bytes == whole.peak_memory_bytes
    assert _equal(network, unbroken)


def test_one_is_written_only_when_it_is_time(tmp_path: Path) -> None:
    _train(_protocol(), _keeper(tmp_path / "job.pt", seconds=3600))
    assert list(tmp_path.iterdir()) == []


class _Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def _flip(path: Path) -> None:
    """Change a bit of a weight, as a bad disk would."""
    data = bytearray(path.read_bytes())
    with torch.no_grad():
        weight = torch.load(path, weights_only=True)["network"]["conv.weight"]
    storage = torch.empty(0).set_(weight.untyped_storage())
    place = bytes(data).index(storage.numpy().tobytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def _change(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        torch.save(torch.load(path, weights_only=True) | changes, path)

    return change


def _write(content: Callable[[Path], bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content(path))

    return write


SPOILT: dict[str, Callable[[Path], None]] = {
    "empty": _write(lambda path: b""),
    "cut off": _cut,
    "a flipped bit": _flip,
    "no archive": _write(lambda path: b"text" * 100),
    "another layout": _change(layout=0),
    "another job": _change(job="b" * 64),
    "no such split": _change(micro_batch="half"),
    "a list": lambda path: torch.save([1, 2], path),
    "code": lambda path: torch.save({"layout": 1, "job": KEY, "x": _Evil(path.parent / "x")}, path),
    "a bare pickle": _write(lambda path: pickle.dumps(_Evil(path.parent / "x"))),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_checkpoint_is_removed_with_a_note(tmp_path: Path, how: str) -> None:
    path, notes = tmp_path / "job.pt", list[str]()
    _train(_protocol(), _keeper(path))
    SPOILT[how](path)
    assert _keeper(path, notes).find() is None
    assert list(tmp_path.iterdir()) == [], "no code of it was run either"
    (note,) = notes
    assert "job.pt cannot be used" in note
    assert "training starts anew" in note
    assert "\n" not in note


@pytest.mark.parametrize(
    "changes",
    [
        {"network": {}},
        {"optimiser": {}},
        {"generators": {}},
        {"history": [{"loss": "low"}]},
        {"peak_memory_bytes": "much"},
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "job.pt"
    _train(_protocol(), _keeper(path))
    _change(**changes)(path)
    keeper = _keeper(path)
    assert keeper.find() is not None
    with pytest.raises(Unusable):
        _train(_protocol(), keeper)


def _full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("how", ["little space", "it fills up", "a folder in the way"])
def test_training_goes_on_where_none_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    whole, unbroken = _train(_protocol())
    folder, notes = tmp_path / "checkpoints", list[str]()
    if how == "little space":
        usage = shutil.disk_usage(tmp_path)._replace(free=100)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    elif how == "it fills up":
        monkeypatch.setattr(torch, "save", _full)
    else:
        folder.write_text("in the way")
    done, network = _train(_protocol(), _keeper(folder / "job.pt", notes))
    assert _losses(done) == _losses(whole)
    assert _equal(network, unbroken)
    (note,) = notes
    assert "training goes on without checkpoints" in note
    assert not folder.is_dir() or list(folder.iterdir()) == []


def test_an_interruption_while_one_is_written_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's archive, left half-written, raises an error of its own in its place."""

    def interrupted(*_: Any, **__: Any) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", interrupted)
    notes: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _train(_protocol(), _keeper(tmp_path / "job.pt", notes))
    assert notes == []
    assert list(tmp_path.iterdir()) == []


def test_a_state_of_a_strangers_that_cannot_be_read_back(tmp_path: Path) -> None:
    """What a block keeps may be anything; only plain values are read."""

    class Odd(_Drawing):
        def get_extra_state(self) -> object:
            return _Evil(tmp_path / "x")

    keeper = _keeper(tmp_path / "job.pt")
    protocol = _protocol()
    with seeded(CPU, 0):
        network = Odd()
    with seeded(CPU, SEED):
        fit(network, _images(), _order(protocol), protocol, None, lambda *_: None, keeper=keeper)
    assert _keeper(tmp_path / "job.pt").find() is None
    assert list(tmp_path.iterdir()) == []
