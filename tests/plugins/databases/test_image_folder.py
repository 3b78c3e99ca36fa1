"""The image-folder reader: what it reads, what it reports, what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from agfer_bench_databases.image_folder import read_image_folder

from agfer_bench import FaceTable, Place, UserError


def _read(folder: Path | None, **options: Any) -> FaceTable:
    return read_image_folder(Place(folder=folder, cache=Path("unused")), **options)


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
        "1 images that metadata.csv does not name are left out, first fear/extra.jpg",
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


@pytest.mark.parametrize(
    "clutter",
    [
        *("@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "#recycle/a.jpg", "@Recycle/a.jpg"),
        *(".@__thumb/default1.jpg", "#snapshot/GMT-1/a.jpg", "._a.jpg", ".AppleDouble/a.jpg"),
        *("__MACOSX/._a.jpg", "$RECYCLE.BIN/S-1-5/$R1.jpg", "System Volume Information/a.jpg"),
        *("Thumbs.db", "Icon\r"),
    ],
)
def test_what_systems_leave_is_no_image(tmp_path: Path, clutter: str) -> None:
    _touch(tmp_path, "fear/a.jpg", clutter, f"fear/{clutter}", f"fear/deep/{clutter}")
    table = _read(tmp_path)
    assert [table.name(image) for image in table.images] == ["fear/a.jpg"]
    assert table.notes == ()


def test_formats_are_told_apart(tmp_path: Path) -> None:
    _touch(tmp_path, "fear/a.JFIF", "fear/b.avif", "fear/c.pjpeg", "fear/d.HEIC", "fear/e.heif")
    _touch(tmp_path, "anger/f.cr2", "anger/notes.txt", "anger/g.dib")
    table = _read(tmp_path)
    assert [table.name(i)[-6:] for i in table.images] == ["/g.dib", "a.JFIF", "b.avif", ".pjpeg"]
    assert table.notes == (
        "anger: 1 files are no images",
        "images that OpenCV does not decode (convert them to PNG or JPEG), left out: 3, "
        "first anger/f.cr2",
    )


def test_what_lies_beside_the_emotions_is_told(tmp_path: Path) -> None:
    _touch(tmp_path, "fear/a.jpg", "b.png", "C.HEIC", "labels.csv", "LICENSE.txt")
    (tmp_path / "elsewhere").mkdir()
    _touch(tmp_path, "elsewhere/x.png", "elsewhere/y.png")
    store = (tmp_path / "elsewhere").rename(tmp_path.parent / f"{tmp_path.name}-store")
    (tmp_path / "fear" / "more").symlink_to(store)
    table = _read(tmp_path)
    assert [table.name(image) for image in table.images] == ["fear/a.jpg"]
    assert table.notes == (
        "tables that are not read (the reader takes metadata.csv): labels.csv",
        "images in the folder itself, left out: 2, first C.HEIC",
        "linked folders, not followed; copy them to read them: 1, first fear/more",
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.bmp", "b.jpg"], "holds 2 images itself, first a.bmp, .*metadata.csv with the columns"),
        (["train/joy/a.jpg", "test/joy/a.jpg"], "F/test: 'joy' is no known class; rename it"),
        (["val_set/1/a.jpg", "test_set/1/a.jpg"], "F/test_set: '1' is no known class"),
        (["fer-v2/train/happy/a.jpg", "docs/x.txt"], "name F/fer-v2, which has train$"),
        (["1/a.jpg", "02/b.jpg"], "has numbers for emotions .02, 1., which mean other emotions"),
        (["joy/a.jpg", "train/x/a.jpg", "anger/a.jpg"], "'joy' is no known emotion"),
    ],
)
def test_other_layouts_are_told_how_to_be_read(
    tmp_path: Path, files: list[str], message: str
) -> None:
    _touch(tmp_path / "F", *files)
    with pytest.raises(UserError) as caught:
        _read(tmp_path / "F")
    assert re.search(message, str(caught.value).replace(str(tmp_path / "F"), "F"))


def test_classes_may_be_anything(tmp_path: Path) -> None:
    _touch(tmp_path / "A", "10/a.jpg", "9/b.jpg", "cat/c.jpg", "anger/d.jpg")
    table = _read(tmp_path / "A", labels="any")
    assert table.classes == ("9", "10", "anger", "cat")
    assert [image.emotion for image in table.images] == ["10", "9", "anger", "cat"]
    _touch(tmp_path / "B", "train/cat/a.jpg", "val/dog/b.jpg", "test/cat/c.jpg")
    table = _read(tmp_path / "B", labels="any")
    assert table.classes == ("cat", "dog")
    assert {(image.emotion, image.part) for image in table.images} == {
        ("cat", "train"), ("dog", "validation"), ("cat", "test"),
    }  # fmt: skip
    (tmp_path / "A" / "metadata.csv").write_text("file_name,emotion\ncat/c.jpg,tom\n9/b.jpg,\n")
    assert _read(tmp_path / "A", labels="any").classes == ("9", "tom")


JSONL = (
    '{"file_name": "b.jpg", "emotion": "sad", "Subject": 7, "frame": 2.0, "score": [1, 2]}\n\n'
    '{"FILE_NAME": "fear/a.jpg", "emotion": null, "subject": "p 2"}\n'
)


def test_json_lines_are_a_table_too(tmp_path: Path) -> None:
    _touch(tmp_path, "b.jpg", "fear/a.jpg")
    (tmp_path / "Metadata.JSONL").write_text(JSONL)
    table = _read(tmp_path)
    assert [(i.emotion, i.subject, i.frame) for i in table.images] == [
        ("sadness", "7", 2),
        ("fear", "p 2", None),
    ]
    assert table.notes == ("columns of Metadata.JSONL that are not used: score",)
    (tmp_path / "metadata.csv").write_text("file_name\nfear/a.jpg\n")
    assert _read(tmp_path).notes == (
        "tables that are not read (metadata.csv is): Metadata.JSONL",
        "1 images that metadata.csv does not name are left out, first b.jpg",
    )


def test_columns_are_known_in_any_letters_and_others_are_told(tmp_path: Path) -> None:
    _touch(tmp_path, "b.jpg")
    (tmp_path / "metadata.csv").write_text(
        "FileName,EMOTION, Age-Group ,Person,race,Take\nb.jpg,Happy,old,p9,x,2\n"
    )
    table = _read(tmp_path)
    (image,) = table.images
    assert (image.emotion, image.age_group, image.take) == ("happiness", "old", "2")
    assert image.subject is None
    assert table.notes == ("columns of metadata.csv that are not used: Person, race",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metadata.csv", "file_name,emotion,Emotion\nb.jpg,fear,anger\n", "2 columns called emo"),
        ("metadata.csv", "file_name,subject\nb.jpg,Smith, Jo\n", "line 2: 3 cells, but 2 columns"),
        ("metadata.csv", "file_name;emotion\nb.jpg;fear\n", "but file_name;emotion; separate col"),
        ("metadata.csv", "file_name,frame\nb.jpg,\u00b2\n", "tells the emotion of b.jpg: give it"),
        ("metadata.csv", f"file_name,emotion,frame\nb.jpg,fear,{2**70}\n", "is not a whole number"),
        ("metadata.csv", "file_name,emotion,frame\nb.jpg,fear,\u00b2\n", "is not a whole number"),
        ("metadata.jsonl", '[{"file_name": "b.jpg"}]\n', "line 1: no JSON object"),
        ("metadata.jsonl", "{\n", "line 1: no JSON object"),
        ("metadata.jsonl", "[" * 99999, "line 1: no JSON object"),
        ("metadata.jsonl", '\n{"file_name": "b.jpg", "subject": ["x"]}', "line 2: subject is neit"),
        ("metadata.jsonl", '{"file_name": "b.jpg", "sex": "f", "Sex": "m"}', "sex stands twice"),
        ("metadata.jsonl", '{"emotion": "fear"}', "line 1: file_name is empty"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    _touch(tmp_path, "b.jpg")
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        _read(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pictures_may_be_links_into_a_store(tmp_path: Path) -> None:
    store, folder = tmp_path / "store", tmp_path / "faces"
    _touch(store, "0a/f1", "0b/f2")
    (folder / "fear").mkdir(parents=True)
    (folder / "fear" / "a.jpg").symlink_to(store / "0a" / "f1")
    (folder / "b.jpg").symlink_to("../store/0b/f2")
    (folder / "c.jpg").symlink_to("../store/dropped")
    (folder / "metadata.csv").write_text(
        "file_name,emotion\nfear/a.jpg,\nb.jpg,anger\nc.jpg,anger\n"
    )
    table = _read(folder)
    assert [(table.name(i), i.emotion) for i in table.images] == [
        ("b.jpg", "anger"),
        ("fear/a.jpg", "fear"),
    ]
    assert table.notes[0] == "1 files that metadata.csv names are missing, first c.jpg"


NFD, NFC = "Jose\u0301", "Jos\u00e9"


@pytest.mark.parametrize(
    ("file", "named", "told"),
    [
        (f"fear/{NFD}.jpg", f"fear/{NFC}.jpg", "spelled otherwise"),
        (f"{NFC}/fear/a.jpg", f"{NFD}/fear/a.jpg", "spelled otherwise"),
        ("fear/a.jpg", "Fear/A.JPG", "spelled otherwise"),
        ("fear/a.jpg", "fear\\a.jpg", "spelled otherwise"),
        ("fear/a.jpg", "./fear//a.jpg", ""),
        ("fear/a.jpg", "HERE/fear/a.jpg", ""),
        ("fear/a.jpg", "HERE/../faces/fear/a.jpg", ""),
        ("fear/a.jpg", "/mnt/old disk/faces/fear/a.jpg", "absolute names"),
        ("fear/a.jpg", "D:\\faces\\fear\\a.jpg", "absolute names"),
    ],
)
def test_names_in_other_spellings_are_found(
    tmp_path: Path, file: str, named: str, told: str
) -> None:
    folder = tmp_path / "faces"
    _touch(folder, file)
    (folder / "metadata.csv").write_text(
        f"file_name,subject\n{named.replace('HERE', str(folder))},p1\n", encoding="utf-8"
    )
    table = _read(folder)
    assert [(table.name(image), image.subject) for image in table.images] == [(file, "p1")]
    assert len(table.notes) == bool(told)
    assert all(told in note and note.endswith(f": 1, first {named}") for note in table.notes)


def test_a_name_that_may_mean_two_files_is_missing(tmp_path: Path) -> None:
    _touch(tmp_path, "fear/A.jpg", "fear/a.jpg", "fear/b.jpg")
    if len(list((tmp_path / "fear").iterdir())) < 3:
        pytest.skip("capitals do not matter on this disk")
    (tmp_path / "metadata.csv").write_text("file_name\nFEAR/A.JPG\nfear/b.jpg\n")
    table = _read(tmp_path)
    assert [table.name(image) for image in table.images] == ["fear/b.jpg"]
    assert table.notes[0] == "1 files that metadata.csv names are missing, first FEAR/A.JPG"


def test_a_name_that_leads_to_another_folder_is_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "other/fear/a.jpg", "faces/fear/a.jpg")
    for name in ("..\\other\\fear\\a.jpg", tmp_path / "other/fear/a.jpg"):
        (tmp_path / "faces" / "metadata.csv").write_text(f"file_name\n{name}\n")
        with pytest.raises(UserError, match="lies outside the folder"):
            _read(tmp_path / "faces")
