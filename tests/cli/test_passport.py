"""`agfer-bench data passport`: what it tells of a set, of two, and of manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app
from agfer_bench.errors import UserError
from tests.passport.pictures import face, mirrored, recompressed, rescaled

PLAIN = ("--set", "crop=none", "--image-size", "64")


def _run(*words: str | Path) -> str:
    result = CliRunner().invoke(app, ["data", "passport", *map(str, words)])
    if result.exception is not None:
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def _set(folder: Path, pictures: dict[str, Any], subjects: bool = True) -> str:
    """Write pictures named `emotion/subject-anything`; return the data set."""
    lines = ["file_name,emotion,subject"]
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
        emotion, _, rest = name.partition("/")
        lines.append(f"{name}.png,{emotion},{rest.partition('-')[0]}")
    if subjects:
        (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return f"image-folder={folder}"


@pytest.fixture
def data(tmp_path: Path) -> str:
    pictures = {f"{e}/s{n}-{e}": face(10 * n + k) for n in range(4) for k, e in enumerate(EMOTIONS)}
    pictures["fear/t-copy"] = mirrored(face(0))
    pictures["fear/t-same"] = face(1)
    pictures["anger/t-grey"] = np.full((50, 60, 3), 90, dtype=np.uint8)
    pictures["anger/t-grey"][20:25, 20:25] = 100  # of one level alone it would give no crop
    pictures["anger/t-tiny"] = rescaled(face(77), 0.1)
    return _set(tmp_path / "set", pictures)


EMOTIONS = ("anger", "fear", "sadness")


def test_a_set(data: str, tmp_path: Path) -> None:
    found = json.loads(_run(data, *PLAIN, "--json", "--out", tmp_path / "set.md"))
    assert found["classes"] == {"anger": 6, "fear": 6, "sadness": 4}
    assert found["classes_of_subjects"] == {"anger": 5, "fear": 5, "sadness": 4}
    assert found["sizes"] == {"200x240": 14, "20x24": 1, "60x50": 1}
    assert found["colour"] == 15
    groups = {tuple(one["names"]): one for one in found["groups"]}
    assert set(groups) == {
        ("anger/s0-anger.png", "fear/t-copy.png"),
        ("fear/s0-fear.png", "fear/t-same.png"),
    }
    near = groups["anger/s0-anger.png", "fear/t-copy.png"]
    assert (near["exact"], near["mirrored"], near["emotions"]) == (False, True, ["anger", "fear"])
    assert (found["copies"], found["label_conflicts"], found["two_subjects"]) == (2, 1, 2)
    assert found["faults"]["uniform"] == ["anger/t-grey.png"]
    assert found["faults"]["tiny"] == ["anger/t-tiny.png"]
    page = (tmp_path / "set.md").read_text()
    assert "| fear | 6 | 5 |" in page
    assert "One picture under two subjects: 2 groups" in page
    shown = _run(data, *PLAIN)
    assert "anger/s0-anger.png = fear/t-copy.png (anger, fear, mirrored)" in shown
    assert "Across folds:" in shown


def test_two_sets_without_a_common_class(data: str, tmp_path: Path) -> None:
    other = _set(
        tmp_path / "other", {"surprise/u-0": recompressed(face(2)), "neutral/u-1": face(55)}
    )
    found = json.loads(_run(data, other, *PLAIN, "--json"))["shared"]
    assert found["pairs"] == [["sadness/s0-sadness.png", "surprise/u-0.png"]]
    assert (found["classes"], found["exact"], found["conflicts"]) == ([], 0, 1)
    assert "has no class in common" in _run(data, other, *PLAIN)


def test_one_picture_and_none(tmp_path: Path) -> None:
    found = json.loads(_run(_set(tmp_path / "one", {"fear/a-0": face(1)}), *PLAIN, "--json"))
    assert (found["images"], found["groups"], found["across_folds"]) == (1, [], None)
    assert "Copies: none." in _run(f"image-folder={tmp_path / 'one'}", *PLAIN)
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="none") as caught:
        _run(f"image-folder={tmp_path / 'none'}", *PLAIN)
    assert "\n" not in str(caught.value)


def test_manifests(data: str, tmp_path: Path) -> None:
    other = _set(tmp_path / "other", {"fear/u-0": face(1), "fear/u-1": face(99)})
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    assert "docs/passport.md" in _run(data, *PLAIN, "--manifest", ours)
    found = json.loads(_run(other, ours, *PLAIN, "--manifest", theirs, "--json"))["manifest"]
    assert found == {"pictures": 16, "same_bytes": ["fear/u-0.png"], "same_look": []}
    met = json.loads(_run(theirs, ours, "--json"))
    assert met == {"pictures": [2, 16], "same_bytes": 1, "same_look": 0}
    _run(other, *PLAIN, "--manifest", theirs)
    with pytest.raises(UserError, match="different salts"):
        _run(theirs, ours)
    with pytest.raises(UserError, match="give a second manifest"):
        _run(ours)
    with pytest.raises(UserError, match="add --manifest"):
        _run(data, "--salt", "x")
    with pytest.raises(UserError, match="name the data set once"):
        _run(data, "--data", data)


def test_pictures_of_other_things_are_taken_whole(tmp_path: Path) -> None:
    told = json.loads(_run("digits", "--json", "--cache", tmp_path))
    assert told["images"] == 1797
    assert sum(told["classes"].values()) == 1797
    assert len(told["classes"]) == 10
    assert told["excluded"] == {}
