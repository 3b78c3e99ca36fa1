"""The image-folder reader: what it reads, what it reports, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from agfer_bench_databases.image_folder import read_image_folder

from agfer_bench import FaceTable, Place, UserError


def _read(folder: Path | None) -> FaceTable:
    return read_image_folder(Place(folder=folder, cache=Path("unused")))


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_folders_are_emotions(tmp_path: Path) -> None:
    _touch(tmp_path, "Happy/b.jpg", "Happy/a.PNG", "anger/deep/c.tif", "anger/notes.txt")
    _touch(tmp_path, "__MACOSX/x.jpg", ".thumbs/y.jpg", "anger/.hidden.jpg", "LICENSE")
    table = _read(tmp_path)
    assert [(table.name(i), i.emotion, i.subject) for i in table.images] == [
        ("Happy/a.PNG", "happiness", None),
        ("Happy/b.jpg", "happiness", None),
        ("anger/deep/c.tif", "anger", None),
    ]
    assert table.notes == ("anger: 1 files are no images",)


def test_metadata_gives_subjects(tmp_path: Path) -> None:
    _touch(tmp_path, "one.jpg", "fear/two.jpg", "fear/extra.jpg")
    (tmp_path / "metadata.csv").write_text(
        "\ufefffile_name,emotion,subject,sequence,frame,age_group\n"
        "one.jpg,Sad,p1,p1-s,3,old\n"
        "fear/two.jpg,,p2,,,\n"
        "gone.jpg,fear,p3,,,\n",
        encoding="utf-8",
    )
    table = _read(tmp_path)
    two, one = table.images
    assert (two.emotion, two.subject, two.sequence, two.frame) == ("fear", "p2", None, None)
    assert (one.emotion, one.subject, one.sequence, one.frame) == ("sadness", "p1", "p1-s", 3)
    assert one.age_group == "old"
    assert table.notes == (
        "1 files that metadata.csv names are missing, first gone.jpg",
        "1 images that metadata.csv does not name are left out",
    )


@pytest.mark.parametrize(
    ("files", "metadata", "message"),
    [
        ([], None, "it is empty"),
        (["anger/readme.txt"], None, "anger: 1 files are no images; anger: no image"),
        (["joyful/a.jpg"], None, "'joyful' is no known emotion"),
        (["a.jpg"], "emotion\nfear\n", "no column file_name"),
        (["a.jpg"], "file_name,emotion\n,fear\n", "line 2: file_name is empty"),
        (["a.jpg"], "file_name,emotion\na.jpg,fear\na.jpg,fear\n", "line 3: a.jpg stands twice"),
        (["a.jpg"], "file_name,emotion\n../a.jpg,fear\n", "outside the folder"),
        (["a.jpg"], "file_name,emotion\n/etc/passwd,fear\n", "outside the folder"),
        (["a.jpg"], "file_name,emotion\na.jpg,joy\n", "line 2: 'joy' is no known emotion"),
        (["a.jpg"], "file_name,emotion,frame\na.jpg,fear,x\n", "frame 'x' is not a whole number"),
        (["a.jpg"], 'file_name,emotion\n"a.jpg,fear\n', "not a CSV file"),
        (["a.jpg"], b"file_name\n\xff\xfe\n", "not a CSV file in UTF-8"),
        ([], "file_name,emotion\na.jpg,fear\n", "1 files that metadata.csv names are missing"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, files: list[str], metadata: str | bytes | None, message: str
) -> None:
    _touch(tmp_path, *files)
    if metadata is not None:
        data = metadata.encode() if isinstance(metadata, str) else metadata
        (tmp_path / "metadata.csv").write_bytes(data)
    with pytest.raises(UserError) as caught:
        _read(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        _read(tmp_path / "absent")
    with pytest.raises(UserError, match="image-folder=FOLDER"):
        _read(None)


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may read everything, so chmod is no test
    with pytest.raises(UserError, match=r"cannot read .*: Permission denied"):
        _read(tmp_path)
