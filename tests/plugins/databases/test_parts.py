"""FER2013, RAF-DB, SFEW, AffectNet and plain folders that lie in folders of parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from agfer_bench_databases.affectnet import read_affectnet
from agfer_bench_databases.fer2013 import read_fer2013
from agfer_bench_databases.image_folder import read_image_folder
from agfer_bench_databases.parts import part_of
from agfer_bench_databases.raf_db import read_raf_db
from agfer_bench_databases.sfew import read_sfew

from agfer_bench import FaceTable, Place, UserError

Grow = Callable[..., Path]
PlaceOf = Callable[[Path | None], Place]


def _told(table: FaceTable) -> list[tuple[str, str, str | None]]:
    return [(table.name(image), image.emotion, image.part) for image in table.images]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train_set", "train"),
        ("FER2013Train", "train"),
        ("val", "validation"),
        ("Valid_data", "validation"),
        ("PublicTest", "validation"),
        ("TEST", "test"),
        ("PrivateTest", "test"),
        ("trained", None),
        ("anger", None),
        ("images", None),
    ],
)
def test_names_of_parts(name: str, part: str | None) -> None:
    assert part_of(name) == part


def test_fer2013_as_kaggle_hands_it_out(grow: Grow, place: PlaceOf) -> None:
    grow("archive/train/angry/1.jpg", "archive/train/neutral/2.jpg", "archive/test/fear/3.jpg")
    folder = grow("archive/train/angry/notes.txt", "archive/test/loose.png", "archive/readme/a.txt")
    table = read_fer2013(place(folder))
    assert table.root == folder / "archive"
    assert _told(table) == [
        ("test/fear/3.jpg", "fear", "test"),
        ("train/angry/1.jpg", "anger", "train"),
        ("train/neutral/2.jpg", "neutral", "train"),
    ]
    assert table.notes == (
        "folders that are no part, left out: 1, first readme",
        "images beside the folders of classes, left out: 1, first test/loose.png",
        "files that are no images: 1, first train/angry/notes.txt",
        "the images are cropped faces already: --set crop=none takes them as they are",
    )
    assert len(read_fer2013(place(folder), usage="Training").images) == 2
    with pytest.raises(UserError, match="votes=majority goes by the rows of"):
        read_fer2013(place(folder), votes="majority")


def test_fer2013_by_numbers(grow: Grow, place: PlaceOf) -> None:
    folder = grow("train/0/a.png", "train/6/b.png", "test/3/c.png")
    assert Counter(i.emotion for i in read_fer2013(place(folder)).images) == {
        "anger": 1,
        "neutral": 1,
        "happiness": 1,
    }
    grow("train/7/d.png")
    with pytest.raises(UserError, match=r"'7' is no known class; .*or a number from 0 to 6"):
        read_fer2013(place(folder))


def test_raf_db_as_kaggle_hands_it_out(grow: Grow, place: PlaceOf) -> None:
    grow(*(f"DATASET/train/{n}/train_{n:05d}_aligned.jpg" for n in range(1, 8)))
    folder = grow("DATASET/test/4/test_0001_aligned.jpg")
    rows = [f"train_{n:05d}_aligned.jpg,{n}" for n in range(1, 7)]
    rows += ["train_00007_aligned.jpg,1", "no label"]
    grow("train_labels.csv", data="\n".join(["image,label", *rows]).encode())
    table = read_raf_db(place(folder))
    assert table.root == folder / "DATASET"
    assert [(image.emotion, image.part) for image in table.images] == [
        ("happiness", "test"),
        ("surprise", "train"),
        ("fear", "train"),
        ("disgust", "train"),
        ("happiness", "train"),
        ("sadness", "train"),
        ("anger", "train"),
    ]
    assert table.notes[:2] == (
        "lines of train_labels.csv that do not fit: 1, first 9",
        "images of which folder and table tell two emotions, left out: 1, "
        "first train/7/train_00007_aligned.jpg",
    )
    assert len(read_raf_db(place(folder), part="test").images) == 1
    with pytest.raises(UserError, match="images=original needs Image/original"):
        read_raf_db(place(folder), images="original")


def test_a_plain_folder_of_parts(grow: Grow, place: PlaceOf) -> None:
    folder = grow("train/Happy/a.png", "val/sad/b.png", "test/happiness/c.png")
    assert _told(read_image_folder(place(folder))) == [
        ("test/happiness/c.png", "happiness", "test"),
        ("train/Happy/a.png", "happiness", "train"),
        ("val/sad/b.png", "sadness", "validation"),
    ]
    grow("train/3/d.png")
    with pytest.raises(UserError, match="train: '3' is no known class"):
        read_image_folder(place(folder))


def test_two_folders_of_one_part_are_refused(grow: Grow, place: PlaceOf) -> None:
    folder = grow("train/angry/a.png", "training/sad/b.png")
    with pytest.raises(UserError, match="train and training, which both stand for the train part"):
        read_fer2013(place(folder))


def test_sfew_with_and_without_aligned_faces(grow: Grow, place: PlaceOf) -> None:
    film = "Bridesmaids_000519240_00000005.png"
    folder = grow(f"SFEW/Train/Angry/{film}", "SFEW/Val/Happy/b.png", "SFEW/Test/c.png")
    table = read_sfew(place(folder))
    assert _told(table) == [
        (f"Train/Angry/{film}", "anger", "train"),
        ("Val/Happy/b.png", "happiness", "validation"),
    ]
    assert table.notes == ("parts without a folder for each emotion, left out: 1, first Test",)
    assert len(read_sfew(place(folder), part="train").images) == 1


def test_sfew_with_aligned_faces_between(grow: Grow, place: PlaceOf) -> None:
    folder = grow("Train/Train_Aligned/Sad/a.png", "Val/Train_Aligned/Fear/b.png")
    assert [image.emotion for image in read_sfew(place(folder)).images] == ["sadness", "fear"]
    with pytest.raises(UserError, match="is not laid out as SFEW"):
        read_sfew(place(folder / "Train"))


def test_affectnet_by_class(grow: Grow, place: PlaceOf) -> None:
    folder = grow("train/0/a.jpg", "train/7/b.jpg", "val/6/c.jpg", "train/9/d.jpg")
    table = read_affectnet(place(folder))
    assert _told(table) == [
        ("train/0/a.jpg", "neutral", "train"),
        ("train/7/b.jpg", "contempt", "train"),
        ("val/6/c.jpg", "anger", "validation"),
    ]
    assert table.notes == (
        "images of classes that are no emotion, left out: 1, first train/9/d.jpg",
    )
    seven = read_affectnet(place(folder), contempt=False)
    assert len(seven.images) == 2
    assert seven.notes[-1] == "contempt=false: 1 images of contempt are left out"


def test_affectnet_does_not_take_raf_db_for_its_own(grow: Grow, place: PlaceOf) -> None:
    folder = grow(*(f"train/{n}/a.jpg" for n in range(1, 8)))
    with pytest.raises(UserError, match="as RAF-DB has them: AffectNet begins with 0"):
        read_affectnet(place(folder))


def test_affectnet_by_arrays(grow: Grow, place: PlaceOf) -> None:
    folder = grow(*(f"train_set/images/{n}.jpg" for n in range(5)), "val_set/images/9.jpg")
    for part, name, value in (
        ("train", "0", np.array("1")),
        ("train", "1", np.array(4)),
        ("train", "2", np.array("8")),
        ("val", "9", np.array([2.0])),
    ):
        path = folder / f"{part}_set" / "annotations" / f"{name}_exp.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, value)
    grow("train_set/annotations/4_exp.npy", data=b"no array")
    table = read_affectnet(place(folder))
    assert _told(table) == [
        ("train_set/images/0.jpg", "happiness", "train"),
        ("train_set/images/1.jpg", "fear", "train"),
        ("val_set/images/9.jpg", "sadness", "validation"),
    ]
    assert table.notes == (
        "images of classes that are no emotion, left out: 1, first train_set/images/2.jpg",
        "images without an annotation that can be read, left out: 2, first train_set/images/3.jpg",
    )


HEAD = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression"


def test_affectnet_by_tables(grow: Grow, place: PlaceOf) -> None:
    rows = ["1/a.jpg,0,0,9,9,1;2,3", "1/b.jpg,0,0,9,9,1;2,10", "2/gone.jpg,0,0,9,9,1;2,0"]
    rows += ["1/a.jpg,0,0,9,9,1;2,3", "1/c.jpg,0,0,9,9,1;2,happy?", "../out.jpg,0,0,9,9,1;2,0"]
    rows += ["1/c.jpg,0,0,9,9,1;2,"]
    grow("training.csv", data="\n".join([HEAD, *rows]).encode())
    grow("validation.csv", data=f"{HEAD}\n1/v.jpg,0,0,9,9,1;2,7".encode())
    base = "Manually_Annotated_Images/1"
    folder = grow(f"{base}/a.jpg", f"{base}/b.jpg", f"{base}/c.jpg", f"{base}/v.jpg")
    table = read_affectnet(place(folder))
    assert _told(table) == [
        (f"{base}/a.jpg", "surprise", "train"),
        (f"{base}/v.jpg", "contempt", "validation"),
    ]
    assert table.notes == (
        "images of classes that are no emotion, left out: 1, first 1/b.jpg",
        "images that a table names and that are missing: 1, first 2/gone.jpg",
        "images that stand twice, the first kept: 1, first 1/a.jpg",
        "rows with no known expression, left out: 2, first line 6: 'happy?'",
        "rows that name a file outside the folder, left out: 1, first ../out.jpg",
    )
    grow("training.csv", data=b"name,label\na,1\n")
    with pytest.raises(UserError, match=r"no table of AffectNet: .*found name, label"):
        read_affectnet(place(folder))


@pytest.mark.parametrize("reader", [read_affectnet, read_sfew, read_raf_db, read_fer2013])
def test_another_layout_is_one_line(
    reader: Callable[[Place], FaceTable], grow: Grow, place: PlaceOf
) -> None:
    folder = grow("some/thing.txt")
    with pytest.raises(UserError, match=r"is not laid out as .*found some") as caught:
        reader(place(folder))
    assert "\n" not in str(caught.value)
