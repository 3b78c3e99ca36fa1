"""Reading a data set through its plugin: what a stranger's reader may get wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agfer_bench import DatasetSpec, FaceImage, FaceTable, Place
from agfer_bench.errors import PluginError, UserError
from agfer_bench.faces.table import read_table
from agfer_bench.plugin.catalogue import Chosen, Entry


def _chosen(read: Callable[..., Any], *, needs_folder: bool = True) -> Chosen[DatasetSpec]:
    spec = DatasetSpec(name="own", read=read, summary="", needs_folder=needs_folder)
    entry = Entry(spec=spec, distribution="my-data", version="1", module="m", options=())
    return Chosen(entry=entry, values={})


def _table(path: str, emotion: str = "fear") -> Callable[..., FaceTable]:
    image = FaceImage(path=Path(path), emotion=emotion)
    return lambda place: FaceTable(root=Path("/data"), images=(image,))


_IMAGE = FaceImage(path=Path("/data/a.jpg"), emotion="fear")


def _of(*images: FaceImage) -> FaceTable:
    return FaceTable(root=Path("/data"), images=images)


PLACE = Place(folder=Path("/data"), cache=Path("/cache"))


def _raise(place: Place) -> FaceTable:
    raise KeyError("column")


@pytest.mark.parametrize(
    ("read", "error", "message"),
    [
        (_raise, PluginError, "my-data: own: read failed: KeyError"),
        (lambda place: [], PluginError, "my-data: own: read returned list"),
        (_table("/data/a.jpg", "joy"), PluginError, "unknown emotions joy"),
        (lambda place: _of(FaceImage(path="a.png", emotion="fear")), PluginError, "with a Path"),  # type: ignore[arg-type]
        (lambda place: _of(_IMAGE, _IMAGE), PluginError, "a.jpg stands twice"),
        (_table("/elsewhere/a.jpg"), PluginError, "lies outside /data"),
        (_table("/data/\udce4.jpg"), UserError, "is not UTF-8; rename it"),
    ],
)
def test_faults_are_named(read: Callable[..., Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_table(_chosen(read), PLACE)


def test_a_folder_is_asked_for_or_refused() -> None:
    read = _table("/data/a.jpg")
    assert len(read_table(_chosen(read), PLACE).images) == 1
    with pytest.raises(UserError, match="needs a folder"):
        read_table(_chosen(read), Place(folder=None, cache=Path("/cache")))
    with pytest.raises(UserError, match="takes no folder"):
        read_table(_chosen(read, needs_folder=False), PLACE)
