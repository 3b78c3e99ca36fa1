"""The KDEF reader: names, counted by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.kdef import read_kdef

from agfer_bench import Place, UserError

Grow = Callable[..., Path]
PlaceOf = Callable[[Path | None], Place]


@pytest.fixture
def kdef(grow: Grow) -> Path:
    """Person F01 in two sessions with all emotions, M35 with one; anger from five angles."""
    for session in "AB":
        for emotion in ("AF", "AN", "DI", "HA", "NE", "SA", "SU"):
            grow(f"{session}F01/{session}F01{emotion}S.JPG")
    for angle in ("FL", "FR", "HL", "HR"):
        grow(f"AF01/AF01AN{angle}.JPG")
    return grow("AM35/AM35AFS.JPG", "AM35/AM35H.JPG")


def test_counted_by_hand(kdef: Path, place: PlaceOf) -> None:
    table = read_kdef(place(kdef))
    assert Counter(image.emotion for image in table.images) == {
        "fear": 3,
        "anger": 2,
        "disgust": 2,
        "happiness": 2,
        "neutral": 2,
        "sadness": 2,
        "surprise": 2,
    }
    assert Counter((i.subject, i.sex, i.take) for i in table.images) == {
        ("F01", "female", "a"): 7,
        ("F01", "female", "b"): 7,
        ("M35", "male", "a"): 1,
    }
    assert table.notes == (
        "images of other angles than S: 4, first AF01ANFL.JPG",
        "images whose names do not fit, left out: 1, first AM35/AM35H.JPG",
    )


@pytest.mark.parametrize(("angle", "number"), [("S", 15), ("HL", 1), ("FR", 1), ("all", 19)])
def test_angles(kdef: Path, place: PlaceOf, angle: str, number: int) -> None:
    table = read_kdef(place(kdef), angle=angle)  # type: ignore[arg-type]
    assert len(table.images) == number


def test_what_does_not_fit_is_one_line(grow: Grow, place: PlaceOf) -> None:
    folder = grow("004_o_m_a_a.jpg", "b/c.txt")
    with pytest.raises(UserError, match=r"AF01ANS\.JPG .* found 004_o_m_a_a\.jpg, b \(") as it:
        read_kdef(place(folder))
    assert "\n" not in str(it.value)
    grow("AF01ANFL.JPG")
    with pytest.raises(UserError, match=r"other angles than S: 1, .* or set angle=all$"):
        read_kdef(place(folder))
    with pytest.raises(UserError, match="kdef=FOLDER"):
        read_kdef(place(None))
    with pytest.raises(UserError, match="no such folder"):
        read_kdef(place(folder / "absent"))


def test_known_misnamed_files_are_read_under_their_right_names(grow: Grow, place: PlaceOf) -> None:
    folder = grow("AF31/AF31V.JPG", "AM31/AM31H.JPG", "AF31/AF31SAS.JPG", "AM31/AM31V.JPG")
    table = read_kdef(place(folder), angle="all")
    assert [(i.path.name, i.emotion, i.subject, i.take) for i in table.images] == [
        ("AF31SAS.JPG", "sadness", "F31", "a"),
        ("AF31V.JPG", "sadness", "F31", "a"),
        ("AM31H.JPG", "surprise", "M31", "a"),
    ]
    assert table.notes == (
        "files known to be misnamed, read under their right names: 2, first AF31V.JPG as AF31SAHL",
        "images whose names do not fit, left out: 1, first AM31/AM31V.JPG",
    )
    straight = read_kdef(place(folder))
    assert [image.path.name for image in straight.images] == ["AF31SAS.JPG"]
    grow("AF31/AF31SAHL.JPG")
    again = read_kdef(place(folder), angle="all")
    assert sum(image.path.stem in ("AF31V", "AF31SAHL") for image in again.images) == 1
    assert any("stand twice" in note for note in again.notes)
