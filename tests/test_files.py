"""Small files that users name: no pipe is waited for, no device read without end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agfer_bench.errors import UserError
from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.mask import read_mask
from agfer_bench.files import read_whole
from agfer_bench.passport.manifest import read_manifest
from agfer_bench.protocol import load_protocol


def test_what_is_read_is_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    (tmp_path / "link").symlink_to(file)
    assert read_whole(file, 3) == read_whole(tmp_path / "link") == b"abc"
    with pytest.raises(OSError, match="larger than 2 bytes"):
        read_whole(file, 2)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


ODD = {
    "pipe": (_pipe, "it is a pipe or a device"),
    "device": (_device, "it is a pipe or a device"),
    "folder": (_folder, "Is a directory"),
    "sparse": (_sparse, "it is larger than"),
}
READERS: dict[str, Callable[[Path], object]] = {
    "protocol": load_protocol,
    "manifest": read_manifest,
    "mask": lambda path: read_mask(path, 40),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_one_line(kind: str, reader: str, tmp_path: Path) -> None:
    make, said = ODD[kind]
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(UserError) as caught:
        READERS[reader](path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", ODD)
def test_a_cascade_that_is_no_file(kind: str, tmp_path: Path) -> None:
    make, said = ODD[kind]
    make(tmp_path / "lbpcascade_frontalface.xml")
    with pytest.raises(UserError, match=said if kind == "sparse" else "no face cascade in"):
        Cascades.load(tmp_path)
