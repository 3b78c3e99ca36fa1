"""FER+: votes counted by hand, and tables that do not belong together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.fer2013 import read_fer2013
from agfer_bench_databases.fer_plus import majority

from agfer_bench import Place, UserError

PlaceOf = Callable[[Path | None], Place]

PIXELS = " ".join(["7"] * 2304)
HEAD = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
VOTES = [
    ("Training", "4,0,0,1,3,2,0,0,0,0", None),  # 4 of 9: no majority
    ("Training", "6,0,1,1,0,0,0,0,2,0", "neutral"),  # 6 of 8
    ("Training", "0,0,0,0,0,0,0,10,0,0", "contempt"),
    ("PublicTest", "0,0,1,0,0,0,0,0,9,0", None),  # unknown
    ("PrivateTest", "0,0,0,0,0,0,0,0,0,10", None),  # no face
    ("PrivateTest", "1,1,1,1,1,1,1,1,1,1", None),  # single votes alone
    ("PrivateTest", "0,5,5,0,0,0,0,0,0,0", None),  # a half is no majority
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [f"3,{PIXELS},{usage}" for usage, _, _ in VOTES]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    rows = [f"{usage},fer{n:07d}.png,{votes}" for n, (usage, votes, _) in enumerate(VOTES)]
    (tmp_path / "fer2013new.csv").write_text("\n".join([HEAD, *rows]))
    return tmp_path


def test_the_label_is_what_more_than_half_say(folder: Path, place: PlaceOf) -> None:
    table = read_fer2013(place(folder), votes="majority")
    told = {table.name(image): (image.emotion, image.part) for image in table.images}
    assert told == {
        "Training/00003.pgm": ("neutral", "train"),
        "Training/00004.pgm": ("contempt", "train"),
    }
    assert table.notes[:4] == (
        "images without a majority of votes, left out: 3, first Training/00002.pgm",
        "images that most votes call unknown, left out: 1, first PublicTest/00005.pgm",
        "images that most votes call no face, left out: 1, first PrivateTest/00006.pgm",
        "labels by FER+: more than half of the votes, single votes taken away (2 of 7 images)",
    )


def test_votes_beside_the_table_are_named_and_not_used(folder: Path, place: PlaceOf) -> None:
    table = read_fer2013(place(folder))
    assert {image.emotion for image in table.images} == {"happiness"}
    assert "fer2013new.csv lies beside the table: votes=majority takes its votes" in table.notes
    assert [image.part for image in table.images][2:5] == ["train", "validation", "test"]


def test_the_rule_of_the_authors() -> None:
    """Held against the steps of FERPlus's own `_process_data`, mode majority, written out."""
    for votes in ([3, 3, 4], [5, 1, 1, 1, 1, 1], [2, 2, 1, 0], [10], [1, 1], [6, 4]):
        raw = [0.0 if vote < 1 + 1e-12 else float(vote) for vote in votes]
        most = max(raw)
        expected = raw.index(most) if most > 0.5 * sum(raw) else None
        assert majority(votes) == expected


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, "needs fer2013new.csv beside the table"),
        (["a,b,c"], "is no table of FER\\+"),
        ([HEAD, "Training,fer0000000.png,1,0,0,0,0,0,0,0,0,0"], "has no line 3"),
        ([HEAD, "PrivateTest,fer0000000.png,9,0,0,0,0,0,0,0,0,0"], "rows of the two do not belong"),
        ([HEAD, "Training,fer0000000.png,many,0,0,0,0,0,0,0,0,0"], "line 2: the votes are no numb"),
    ],
)
def test_a_table_that_will_not_do_is_one_line(
    folder: Path, place: PlaceOf, lines: list[str] | None, message: str
) -> None:
    votes = folder / "fer2013new.csv"
    votes.unlink() if lines is None else votes.write_text("\n".join(lines))
    with pytest.raises(UserError, match=message):
        read_fer2013(place(folder), votes="majority")
