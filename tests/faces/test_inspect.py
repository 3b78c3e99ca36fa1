"""What a folder looks like, and which reader takes it: told from names alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app
from agfer_bench.errors import UserError
from agfer_bench.faces.inspect import inspect
from agfer_bench.faces.table import read_table
from agfer_bench.plugin import glance as glancing
from agfer_bench.plugin.glance import glance
from agfer_bench.plugin.options import parse_choice
from agfer_bench.plugin.specs import Place
from tests.run.support import own

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write files into the test's own folder; return it."""

    def write(*names: str, **texts: str) -> Path:
        for name, text in ((name, texts.get("text", "x")) for name in names):
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "data"

    return write


LAYOUTS: list[tuple[str, list[tuple[str, str]], str]] = [
    ("image-folder", [("Happy/a.png", ""), ("sad/b.png", "")], ""),
    ("image-folder", [("a.png", ""), ("metadata.csv", "file_name,emotion\n")], ""),
    ("image-folder", [("set/train/angry/a.png", ""), ("set/test/fear/b.png", "")], "set"),
    ("oulu-casia", [("OriginalImg/VL/Strong/P001/Anger/000.jpeg", "")], ""),
    ("faces", [("all/004_o_m_a_a.jpg", "")], ""),
    ("kdef", [("AF01/AF01ANS.JPG", ""), ("AF01/AF31V.JPG", "")], ""),
    ("jaffe", [("KA.AN1.39.tiff", "")], ""),
    ("ck-plus", [("cohn-kanade-images/S005/001/a.png", ""), ("Emotion/S005/001/a.txt", "")], ""),
    ("fer2013", [("fer2013.csv", "emotion,pixels,Usage\n")], ""),
    ("fer2013", [("mine.csv", '"emotion","pixels","Usage"\n')], "mine.csv"),
    ("fer2013", [("train/0/a.png", ""), ("train/6/b.png", "")], ""),
    ("raf-db", [("DATASET/train/1/a.jpg", ""), ("DATASET/train/7/b.jpg", "")], "DATASET"),
    ("raf-db", [("EmoLabel/list_patition_label.txt", "x"), ("Image/aligned/a.jpg", "")], ""),
    ("muxspace", [("data/legend.csv", "user.id,image,emotion\n"), ("images/a.jpg", "")], ""),
    ("affectnet", [("training.csv", "subDirectory_filePath,face_x,expression\n")], ""),
    ("affectnet", [("train_set/images/0.jpg", ""), ("train_set/annotations/0_exp.npy", "")], ""),
    ("affectnet", [("train/0/a.png", ""), ("train/7/b.png", "")], ""),
    ("expw", [("label/label.lst", "a.jpg 0 1 2 3 4 5.0 6\n"), ("image/origin/a.jpg", "")], ""),
    ("sfew", [("Train/Angry/Film_000519240_00000005.png", "")], ""),
    ("npz", [("pathmnist.npz", "")], "pathmnist.npz"),
    ("hugging-face", [("data/train-00000-of-00001.parquet", "")], ""),
]


@pytest.mark.parametrize(("name", "files", "below"), LAYOUTS)
def test_each_layout_is_known(
    tree: Tree, name: str, files: list[tuple[str, str]], below: str
) -> None:
    for file, text in files:
        folder = tree(file, text=text)
    found = inspect(folder, own().datasets)
    one = {each.name: each for each in found.readers}.get(name)
    assert one is not None, [(each.name, each.fit) for each in found.candidates]
    assert one.fit.below == below
    assert found.problems == ()


def test_every_reader_of_ours_tells() -> None:
    ours = own().datasets
    silent = {name for name, one in ours.items() if one.spec.fits is None and one.spec.needs_folder}
    assert silent == set()
    assert {name for name, _, _ in LAYOUTS} == {
        name for name, one in ours.items() if one.spec.needs_folder
    }


@pytest.mark.parametrize(
    ("files", "nearest", "why"),
    [
        (["anger/a.png", "funny/b.png"], "image-folder", "funny no known one"),
        (["a.png", "b.jpg"], "image-folder", "2 pictures lie in the folder itself"),
        (
            ["cat/a.png", "dog/b.png"],
            "image-folder",
            "cat, dog are no emotions; image-folder:labels",
        ),
        (["a.npz", "b.npz"], "npz", "there are 2 such files, and it takes one: a.npz"),
        (["Emotion/S005/a.txt"], "ck-plus", "cohn-kanade-images is missing"),
        (["EmoLabel/list_patition_label.txt"], "raf-db", "the folder of images, is missing"),
        (["VL/P001/Anger/000.jpeg"], "oulu-casia", "no folder above tells Strong"),
    ],
)
def test_the_nearest_says_what_is_missing(
    tree: Tree, files: list[str], nearest: str, why: str
) -> None:
    found = inspect(tree(*files), own().datasets)
    assert found.readers == ()
    assert found.nearest is not None
    assert found.nearest.name == nearest
    assert why in found.nearest.fit.why


def test_a_reader_names_the_one_that_fits(tree: Tree, tmp_path: Path) -> None:
    folder = tree("train/1/a.jpg", "train/7/b.jpg", "test/3/c.jpg")
    readers = own().datasets
    place = Place(folder=folder, cache=tmp_path / "cache")

    def read(name: str) -> object:
        return read_table(own().choose_dataset(parse_choice(name)), place, readers)

    with pytest.raises(UserError, match=f"it looks like raf-db: --data raf-db={folder}$"):
        read("jaffe")
    other = Place(folder=tree("x/y.png").parent / "data" / "x", cache=tmp_path / "cache")
    with pytest.raises(UserError, match="image-folder comes nearest, but 1 pictures lie in"):
        read_table(own().choose_dataset(parse_choice("raf-db")), other, readers)


def test_a_large_folder_is_not_listed_to_its_end(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree(*(f"many/{number:03d}.jpg" for number in range(40)), "few/a.jpg")
    monkeypatch.setattr(glancing, "MOST_FILES", 10)
    seen = glance(folder)
    assert not seen.whole
    assert len(seen.files) == 11
    monkeypatch.setattr(glancing, "MOST_FOLDERS", 1)
    assert glance(folder).files == ()


def test_a_strangers_mistake_keeps_nobody_from_telling(
    tree: Tree, plugin: Callable[[str, str], EntryPoint]
) -> None:
    source = """
from agfer_bench import DatasetSpec, hookimpl

def fits(glance):
    return 1 / 0

@hookimpl
def face_datasets():
    return [DatasetSpec(name="theirs", read=lambda place: None, summary="", fits=fits)]
"""
    catalogue = own(plugin("their-set", source))
    found = inspect(tree("angry/a.png"), catalogue.datasets)
    assert [one.name for one in found.readers] == ["image-folder"]
    assert found.problems == (
        "theirs (their-set) cannot tell: ZeroDivisionError: division by zero",
    )


def _json(*words: str) -> Any:
    result = CliRunner().invoke(app, ["data", "inspect", *words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_command(tree: Tree) -> None:
    folder = tree("my set/fer2013.csv", text="emotion,pixels,Usage\n").joinpath("my set")
    result = CliRunner().invoke(app, ["data", "inspect", str(folder)])
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "1 files: 1 .csv" in words
    assert "Table fer2013.csv: emotion, pixels, usage" in words
    assert "Read by fer2013: fer2013.csv has its columns." in words
    assert "agfer-bench data prepare --data 'fer2013=" in words, "quoted for a shell"
    told = _json(str(folder))
    assert told["readers"][0]["reads"] is True
    assert told["tables"] == {"fer2013.csv": ["emotion", "pixels", "usage"]}
    missing = CliRunner().invoke(app, ["data", "inspect", str(folder / "none")])
    assert isinstance(missing.exception, UserError)


def test_data_list_tells_the_terms() -> None:
    result = CliRunner().invoke(app, ["data", "list", "--json"])
    sets = {one["name"]: one for one in json.loads(result.stdout)["datasets"]}
    assert sets["synthetic"]["pictures_may_be_published"] is True
    closed = {name for name, one in sets.items() if not one["pictures_may_be_published"]}
    assert {"raf-db", "affectnet", "kdef", "oulu-casia", "faces", "muxspace"} <= closed
    assert all(one["licence"] for one in sets.values())
