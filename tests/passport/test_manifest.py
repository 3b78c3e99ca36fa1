"""Manifests: copies meet, nothing else does, and a stranger's file is read with care."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agfer_bench.errors import UserError
from agfer_bench.passport.manifest import (
    FORMAT,
    make_manifest,
    meet,
    new_salt,
    read_manifest,
    write_manifest,
)
from tests.passport.pictures import brighter, face, mirrored
from tests.passport.test_copies import pictures


def test_two_labs_find_what_they_share(tmp_path: Path) -> None:
    ours = pictures([face(number) for number in range(30)])
    theirs = pictures([face(0), mirrored(face(1)), brighter(face(2), 0.9), face(40), face(41)])
    manifest, _ = make_manifest(theirs.sha256, theirs.looks_NSS, "salt")
    write_manifest(manifest, tmp_path / "m.json")
    text = (tmp_path / "m.json").read_text()
    assert not any(digest in text for digest in theirs.sha256), "hashes are salted"
    read = read_manifest(tmp_path / "m.json")
    assert read == manifest
    met = meet(make_manifest(ours.sha256, ours.looks_NSS, read.salt)[1], read)
    assert met.same_bytes == (0,)
    assert set(met.same_look) <= {1, 2}
    assert 1 in met.same_look, "mirrored"
    other = make_manifest(ours.sha256, ours.looks_NSS, new_salt())[1]
    assert meet(other, read).same_bytes == meet(other, read).same_look == ()


def test_uniform_pictures_meet_by_bytes_alone() -> None:
    grey = pictures([np.full((20, 20, 3), value, dtype=np.uint8) for value in (10, 90)])
    manifest, entries = make_manifest(grey.sha256, grey.looks_NSS, "salt")
    assert [look for _, look in entries] == [None, None]
    assert meet(entries[:1], manifest).same_bytes == (0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ("[1]", "no manifest of this version"),
        (json.dumps({"format": FORMAT, "salt": "s", "pictures": [["a"]]}), "damaged"),
        (json.dumps({"format": FORMAT, "pictures": []}), "damaged"),
    ],
)
def test_what_is_no_manifest_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_manifest(tmp_path / "m.json")
    with pytest.raises(UserError, match="cannot read manifest"):
        read_manifest(tmp_path / "absent.json")
