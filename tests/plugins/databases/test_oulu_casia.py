"""The OULU-CASIA reader: three subjects, counted by hand, and what users' folders look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agfer_bench_databases.oulu_casia import ranges, read_oulu_casia
from agfer_bench_databases.oulu_folders import setting_of

from agfer_bench import FaceTable, Place, UserError
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import parse_choice

Grow = Callable[..., Path]
PlaceOf = Callable[[Path | None], Place]
EMOTIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")

ALL_BUT_THREE = "subjects: 3; of 1 to 80 these are missing: 3-11, 13-80"


@pytest.fixture
def read(place: PlaceOf) -> Callable[..., FaceTable]:
    return lambda folder, **options: read_oulu_casia(place(folder), **options)


def _sequences(under: str, *subjects: str, frames: int = 5) -> list[str]:
    return [
        f"{under}/{subject}/{emotion}/{number:03d}.jpeg"
        for subject in subjects
        for emotion in EMOTIONS
        for number in range(frames)
    ]


@pytest.fixture
def oulu(grow: Grow) -> Path:
    """P001 with 5 frames of each emotion, P002 with 4 of anger and fear, P012 with 12 of sadness.

    In near infrared there is only P002 with 3 frames of each emotion.
    """
    top = "OriginalImg/VL/Strong"
    grow(*_sequences(top, "P001"))
    grow(*(f"{top}/P002/{e}/P002_{e}_{n:03d}.jpeg" for e in ("Anger", "Fear") for n in range(4)))
    grow(*(f"{top}/P012/Sadness/{n}.jpeg" for n in range(1, 13)))
    return grow(*_sequences("OriginalImg/NI/Strong", "P002", frames=3))


def _classes(table: FaceTable) -> dict[str, int]:
    return dict(Counter(image.emotion for image in table.images))


def test_classes_counted_by_hand(oulu: Path, read: Callable[..., FaceTable]) -> None:
    table = read(oulu)
    # Nine sequences with three neutral frames each; P001 leaves 2 of every emotion, P002 1, P012 9.
    assert _classes(table) == {
        "neutral": 27,
        "anger": 2 + 1,
        "disgust": 2,
        "fear": 2 + 1,
        "happiness": 2,
        "sadness": 2 + 9,
        "surprise": 2,
    }
    assert Counter(image.subject for image in table.images) == {"P001": 30, "P002": 8, "P012": 12}
    assert table.notes == (
        ALL_BUT_THREE,
        "sequences missing or without a frame: 9, first P002 disgust",
    )


def test_frames_have_subject_sequence_and_place(oulu: Path, read: Callable[..., FaceTable]) -> None:
    table = read(oulu)
    last = [image for image in table.images if image.subject == "P012"]
    assert [table.name(image) for image in last] == [f"P012/Sadness/{n}.jpeg" for n in range(1, 13)]
    assert [image.frame for image in last] == list(range(12))
    assert {image.sequence for image in last} == {"P012/Sadness"}
    assert [image.emotion for image in last] == ["neutral"] * 3 + ["sadness"] * 9
    assert table.name(table.images[30]) == "P002/Anger/P002_Anger_000.jpeg"


def test_the_options_choose(oulu: Path, read: Callable[..., FaceTable]) -> None:
    assert _classes(read(oulu, neutral_frames=1, last_frames=2)) == {
        "neutral": 9,
        "anger": 4,
        "disgust": 2,
        "fear": 4,
        "happiness": 2,
        "sadness": 4,
        "surprise": 2,
    }
    infrared = read(oulu, spectrum="NI")
    assert _classes(infrared) == {"neutral": 18}
    assert "sequences too short to show more than neutral: 6, first P002/Anger" in infrared.notes
    assert infrared.root == oulu / "OriginalImg/NI/Strong"


@pytest.mark.parametrize("below", ["..", ".", "OriginalImg", "OriginalImg/VL"])
def test_any_folder_on_the_way_will_do(
    oulu: Path, below: str, read: Callable[..., FaceTable]
) -> None:
    whole = read(oulu / "OriginalImg/VL/Strong")
    table = read((oulu / below).resolve())
    assert [table.name(image) for image in table.images] == [
        whole.name(image) for image in whole.images
    ]
    assert table.notes == whole.notes


@pytest.mark.parametrize(
    ("variant", "chosen", "frames"),
    [
        ("auto", "OriginalImg/VL/Strong", 4),
        ("original", "OriginalImg/VL/Strong", 4),
        ("b-original", "B_OriginalImg/B_OriginalImg/OriginalImg/VL/Strong", 5),
        ("a-cropped", "PreProcess_Img/VL_Acropped/Strong", 6),
        ("b-cropped", "PreProcess_Img/VL_Bcropped/Strong", 7),
    ],
)
def test_a_tree_of_several_variants(
    grow: Grow, read: Callable[..., FaceTable], variant: str, chosen: str, frames: int
) -> None:
    grow(*_sequences("OriginalImg/VL/Strong", "P001", frames=4))
    grow(*_sequences("B_OriginalImg/B_OriginalImg/OriginalImg/VL/Strong", "P001", frames=5))
    grow(*_sequences("PreProcess_Img/VL_Acropped/Strong", "P001", frames=6))
    grow(*_sequences("PreProcess_Img/NI_Acropped/Strong", "P001", frames=9))
    grow(*_sequences("PreProcess_Img/VL_Bcropped/Strong", "P001", frames=7))
    grow("FACES/004_o_m_a_a.jpg", "CK+/cohn-kanade-images/S005/001/S005_001_00000001.png")
    folder = grow("KDEF/AF01/AF01ANS.JPG", "readme.txt", "Thumbs.db", "__MACOSX/P001/x.jpeg")
    table = read(folder, variant=variant)
    assert table.root == folder / chosen
    assert len(table.images) == 6 * frames
    several = [note for note in table.notes if note.startswith("read from")]
    expected = (
        f"read from {chosen}; also there, not read: B_OriginalImg/B_OriginalImg/OriginalImg/VL/"
        "Strong, PreProcess_Img/VL_Acropped/Strong, PreProcess_Img/VL_Bcropped/Strong "
        "(option variant chooses)"
    )
    assert several == ([expected] if variant == "auto" else [])
    assert any("crop=none" in note for note in table.notes) == ("cropped" in variant)


@pytest.mark.parametrize(
    ("folder", "setting"),
    [
        ("/d/OriginalImg/NI/Weak", "NI Weak original"),
        ("/d/B_OriginalImg/VL/Dark", "VL Dark b-original"),
        ("/d/PreProcessImg/ni_bcropped/strong", "NI Strong b-cropped"),
        ("/d/faces/VL/Strong", "VL Strong"),
        ("/d/faces/Strong", "Strong"),
        ("/d/mine", "of no known name"),
        ("/", "of no known name"),
    ],
)
def test_names_tell_the_setting(folder: str, setting: str) -> None:
    assert str(setting_of(Path(folder))) == setting


def test_names_that_tell_nothing_are_said(grow: Grow, read: Callable[..., FaceTable]) -> None:
    folder = grow(*_sequences("mine", "P001"))
    table = read(folder / "mine")
    assert len(table.images) == 30
    assert "the names above the subjects tell only: of no known name" in table.notes


def test_what_is_odd_is_counted(grow: Grow, read: Callable[..., FaceTable]) -> None:
    top = "VL/Strong"
    folder = grow(*_sequences(top, "P001", "P090"))
    grow(f"{top}/P001/Fear/001.jpeg", f"{top}/P001/Fear/004.jpeg", data=b"")
    grow(f"{top}/P001/Fear/apex.jpeg", f"{top}/P001/Fear/log.txt", f"{top}/P001/Fear/sub/1.jpeg")
    grow(f"{top}/P001/Joy/000.jpeg", f"{top}/P001/Contempt/0.jpeg", f"{top}/P001/stray.jpeg")
    grow(f"{top}/P001/happy/000.jpeg")  # beside Happiness
    grow(f"{top}/P1/Anger/000.jpeg", f"{top}/list.txt", f"{top}/Thumbs.db")
    grow(f"{top}/P001/Fear/.DS_Store", f"{top}/P001/Fear/Thumbs.db")
    (folder / top / "P001" / "loop").symlink_to(folder, target_is_directory=True)
    table = read(folder)
    fear = [image for image in table.images if image.sequence == "P001/Fear"]
    assert [(image.path.name, image.frame, image.emotion) for image in fear] == [
        ("000.jpeg", 0, "neutral"),
        ("002.jpeg", 2, "neutral"),
        ("003.jpeg", 3, "fear"),
    ]
    assert len(table.images) == 2 * 30 - 2
    assert table.notes == (
        "files where none is expected: 2, first list.txt",
        "folders whose names do not fit, left out: 6, first P1",
        "subjects: 2; of 1 to 80 these are missing: 2-80",
        "images whose names do not fit, left out: 1, first P001/Fear/apex.jpeg",
        "files that are no images: 1, first P001/Fear/log.txt",
        "files of zero bytes, left out: 2, first P001/Fear/001.jpeg",
    )


def test_links_do_not_lead_in_circles(grow: Grow, read: Callable[..., FaceTable]) -> None:
    folder = grow(*_sequences("OriginalImg/VL/Strong", "P001"))
    for link in ("again", "OriginalImg/OriginalImg", "OriginalImg/VL/VL"):
        (folder / link).symlink_to((folder / link).parent, target_is_directory=True)
    table = read(folder)
    assert table.root == folder / "OriginalImg/VL/Strong"
    assert len(table.images) == 30


def test_a_link_of_another_name_does_not_lead_elsewhere(
    tmp_path: Path, grow: Grow, read: Callable[..., FaceTable]
) -> None:
    folder = grow(*_sequences("OriginalImg/VL/Strong", "P001"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/elsewhere").symlink_to(folder, target_is_directory=True)
    with pytest.raises(UserError, match="found elsewhere; name the folder"):
        read(tmp_path / "mine")
    assert len(read(tmp_path / "mine/elsewhere").images) == 30


@pytest.mark.parametrize(
    ("files", "below", "options", "message"),
    [
        ([], "", {}, r"found nothing; name the folder that holds OriginalImg"),
        (["a/x.jpg", "b/y", "c/z", "d/z"], "", {}, r"P001/Anger/000\.jpeg, found a, b, c and 1"),
        (["VL/Strong/P001/Anger/0.jpeg"], "VL/Strong/P001", {}, "not laid out .* found Anger"),
        (
            ["NI/Strong/P001/Anger/0.jpeg"],
            "",
            {},
            "no VL Strong of .* found NI Strong in NI/Strong",
        ),
        (["VL/Weak/P001/Anger/0.jpeg"], "VL/Weak", {}, r"found VL Weak in \.; set spectrum"),
        (["NI/P001/Anger/0.jpeg"], "NI", {}, "found NI in"),
        (
            ["OriginalImg/VL/Strong/P001/Anger/0.jpeg"],
            "",
            {"variant": "a-cropped"},
            "no VL Strong a-cropped of .* found VL Strong original in OriginalImg/VL/Strong",
        ),
        (["VL/Strong/P001/Joy/0.jpeg"], "", {}, r"found P001 \(.*do not fit, left out: 1, first P"),
        (
            ["a/VL/Strong/P001/Anger/0.jpeg", "b/VL/Strong/P001/Anger/0.jpeg"],
            "",
            {},
            "more than once, as a/VL/Strong, b/VL/Strong; name one",
        ),
        (["VL/Strong/P001/Anger/0.jpeg"], "", {"last_frames": -2}, "last_frames=-2 must be"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path,
    grow: Grow,
    read: Callable[..., FaceTable],
    files: list[str],
    below: str,
    options: dict[str, Any],
    message: str,
) -> None:
    (tmp_path / "data").mkdir()
    grow(*files)
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path / "data" / below, **options)
    assert "\n" not in str(caught.value)


def test_a_missing_or_closed_folder_is_named(
    oulu: Path, read: Callable[..., FaceTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"no such folder: .*absent"):
        read(oulu / "absent")
    with pytest.raises(UserError, match="oulu-casia=FOLDER"):
        read(None)
    whole = Path.iterdir

    def refuse(self: Path) -> Any:
        if self.name == "P002":
            raise PermissionError(13, "Permission denied", str(self))
        return whole(self)

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may read everything, so chmod is no test
    with pytest.raises(UserError, match=r"cannot read .*P002: Permission denied"):
        read(oulu)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oulu-casia:spectrum=IR", "oulu-casia:spectrum must be one of VL, NI, not 'IR'$"),
        ("oulu-casia:light=Weak", "oulu-casia has no option 'light'"),
        ("oulu-casia:neutral_frames=few", "must be of type int, not 'few'"),
    ],
)
def test_options_as_users_type_them(text: str, message: str) -> None:
    catalogue = load_catalogue()
    chosen = catalogue.choose_dataset(parse_choice("oulu-casia:spectrum=NI:neutral_frames=1"))
    assert chosen.values == {
        "spectrum": "NI",
        "illumination": "Strong",
        "variant": "auto",
        "neutral_frames": 1,
        "last_frames": 0,
        "neutral_sequences": 0,
    }
    with pytest.raises(UserError, match=message):
        catalogue.choose_dataset(parse_choice(text))


def test_neutral_may_come_from_some_sequences_alone(tmp_path: Path) -> None:
    shown = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
    for subject in ("P001", "P002", "P009"):
        for emotion in shown:
            folder = tmp_path / "OriginalImg" / "VL" / "Strong" / subject / emotion
            folder.mkdir(parents=True)
            for frame in range(3):
                (folder / f"{frame:03d}.jpeg").write_bytes(b"x")
    place = Place(folder=tmp_path, cache=tmp_path)
    one = read_oulu_casia(place, neutral_frames=1, neutral_sequences=1)
    neutral = [image for image in one.images if image.emotion == "neutral"]
    assert [image.sequence for image in neutral] == ["P001/Disgust", "P002/Fear", "P009/Happiness"]
    assert len(one.images) == 3 * 6 * 2 + 3
    two = read_oulu_casia(place, neutral_frames=1, neutral_sequences=2)
    assert sum(image.emotion == "neutral" for image in two.images) == 6
    every = read_oulu_casia(place, neutral_frames=1, neutral_sequences=6)
    assert every == read_oulu_casia(place, neutral_frames=1)
    with pytest.raises(UserError, match="neutral_sequences=7 must be from 0 to 6"):
        read_oulu_casia(place, neutral_sequences=7)


def test_numbers_are_written_compactly() -> None:
    assert ranges([]) == ""
    assert ranges([5]) == "5"
    assert ranges([80, 1, 2, 4]) == "1-2, 4, 80"
