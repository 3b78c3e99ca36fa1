"""The JAFFE reader: names, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.jaffe import read_jaffe

from agfer_bench import Place, UserError

Grow = Callable[..., Path]
PlaceOf = Callable[[Path | None], Place]


def test_counted_by_hand(grow: Grow, place: PlaceOf) -> None:
    grow("KA.AN1.39.tiff", "KA.AN2.40.tiff", "KA.DI1.42.tiff", "KA.FE1.45.tiff", "KA.HA1.29.tiff")
    grow("jaffe/KL.NE1.155.tiff", "jaffe/KL.SA1.161.tiff", "jaffe/KL.SU1.158.tiff")
    grow("copy/KA.AN1.39.tiff", "KA.XX1.39.tiff", "README.txt", ".DS_Store")
    folder = grow("KL.SU2.159.tiff", data=b"")
    table = read_jaffe(place(folder))
    assert [(table.name(i), i.subject, i.emotion, i.take) for i in table.images] == [
        ("KA.AN1.39.tiff", "KA", "anger", "1"),
        ("KA.AN2.40.tiff", "KA", "anger", "2"),
        ("KA.DI1.42.tiff", "KA", "disgust", "1"),
        ("KA.FE1.45.tiff", "KA", "fear", "1"),
        ("KA.HA1.29.tiff", "KA", "happiness", "1"),
        ("jaffe/KL.NE1.155.tiff", "KL", "neutral", "1"),
        ("jaffe/KL.SA1.161.tiff", "KL", "sadness", "1"),
        ("jaffe/KL.SU1.158.tiff", "KL", "surprise", "1"),
    ]
    assert {image.sex for image in table.images} == {"female"}
    assert set(table.notes) == {
        "images whose names do not fit, left out: 1, first KA.XX1.39.tiff",
        "files of zero bytes, left out: 1, first KL.SU2.159.tiff",
        "files that are no images: 1, first README.txt",
        "images that stand twice, the first kept: 1, first copy/KA.AN1.39.tiff",
    }


def test_what_does_not_fit_is_one_line(grow: Grow, place: PlaceOf) -> None:
    folder = grow("004_o_m_a_a.jpg", "b/c.txt")
    with pytest.raises(UserError, match=r"KA\.AN1\.39\.tiff .* found 004_o_m_a_a\.jpg, b \(") as it:
        read_jaffe(place(folder))
    assert "\n" not in str(it.value)
    with pytest.raises(UserError, match="jaffe=FOLDER"):
        read_jaffe(place(None))
    with pytest.raises(UserError, match="no such folder"):
        read_jaffe(place(folder / "absent"))
