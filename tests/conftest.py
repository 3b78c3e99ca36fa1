"""What tests share: real photographs where they are at hand, a tiny data set, fake plugins."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import cv2
import numpy as np
import pytest

# With several threads the idle ones of OpenMP spin, and beside other work a training takes a
# hundred times as long; tests train networks so small that one is enough. Both are read when torch
# is loaded, here and in every process that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A shell starts what runs in the background with Ctrl-C ignored: tests hear it everywhere alike.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

EMOTIONS = ("anger", "happiness", "sadness")


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGFER_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Return the folder of real photographs, or skip."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real photographs are not at hand ({folder})")
    return folder


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 6 subjects x 3 emotions x 2 images of a blob whose place tells the emotion.

    They are no faces: read them with `crop=none`.
    """
    folder = tmp_path_factory.mktemp("blobs")
    random = np.random.default_rng(0)
    lines = ["file_name,emotion,subject"]
    for number, emotion in enumerate(EMOTIONS):
        (folder / emotion).mkdir()
        for subject in range(6):
            for frame in range(2):
                image = random.integers(0, 60, (40, 40, 3), dtype=np.uint8)
                image[5 + 10 * number : 15 + 10 * number, 8:32] += 150
                name = f"{emotion}/{subject}_{frame}.png"
                assert cv2.imwrite(str(folder / name), image)
                lines.append(f"{name},{emotion},s{subject}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a second set of blobs: other people, two age groups, one class less and one more."""
    folder = tmp_path_factory.mktemp("others")
    random = np.random.default_rng(1)
    lines = ["file_name,emotion,subject,age_group"]
    for number, emotion in ((0, "anger"), (1, "happiness"), (2, "fear")):
        for subject in range(5):
            image = random.integers(0, 60, (40, 40, 3), dtype=np.uint8)
            image[5 + 10 * number : 15 + 10 * number, 8:32] += 150
            assert cv2.imwrite(str(folder / f"{emotion}{subject}.png"), image)
            age = "old" if subject < 2 else "young"
            lines.append(f"{emotion}{subject}.png,{emotion},t{subject},{age}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


class FakeDistribution(Distribution):
    """A distribution that exists only in metadata."""

    def __init__(self, name: str, version: str) -> None:
        self._text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], EntryPoint]:
    """Return a function that writes a module and gives the entry point of a distribution of it."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make(distribution: str, source: str) -> EntryPoint:
        module = "plugin_" + distribution.replace("-", "_")
        (folder / f"{module}.py").write_text(source)
        sys.modules.pop(module, None)
        point = EntryPoint(name=distribution, value=module, group="agfer_bench")
        return point._for(FakeDistribution(distribution, "1.2.3"))  # type: ignore[attr-defined, no-any-return]

    return make


@pytest.fixture
def frozen_heap() -> Iterator[None]:
    """Keep what is loaded out of the garbage collections that statsmodels asks for."""
    gc.freeze()
    yield
    gc.unfreeze()
