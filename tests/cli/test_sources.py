"""`--data` and `--test`: what is trained and tested on, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from agfer_bench.errors import UserError
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.run.request import DataOptions
from agfer_bench.run.resolve import build_sources


def _names(data: str | None, test: str | None) -> tuple[str, str | None]:
    asked = DataOptions(data=data, test=test, cache=Path("cache"))
    first, second = build_sources(load_catalogue(), asked, workers=1)
    return first.chosen.label, second.chosen.label if second else None


@pytest.mark.parametrize(
    ("data", "test", "expected"),
    [
        (None, None, ("synthetic", "synthetic-faces")),
        (None, "none", ("synthetic", None)),
        (None, "faces=portraits", ("synthetic", "faces")),
        ("synthetic", None, ("synthetic", None)),
        ("oulu-casia=o", None, ("oulu-casia", None)),
        ("oulu-casia=o", "faces=f", ("oulu-casia", "faces")),
        ("oulu-casia:illumination=Weak=o", "oulu-casia=o", None),
        ("image-folder=a", "image-folder=b", ("image-folder", "image-folder")),
    ],
)
def test_the_drawn_test_set_goes_with_the_default_data_alone(
    data: str | None, test: str | None, expected: tuple[str, str | None] | None
) -> None:
    found = _names(data, test)
    assert found == (expected or ("oulu-casia:illumination=Weak", "oulu-casia"))


@pytest.mark.parametrize(
    ("data", "test", "message"),
    [
        ("image-folder=a", "image-folder=a", "--test is the same as --data"),
        ("image-folder=a", "image-folder=./b/../a", "--test is the same as --data"),
        ("synthetic", "synthetic", "--test is the same as --data"),
        ("image-folder=a", "facse=b", "did you mean 'faces'"),
        ("image-folder=a", "faces=", "--test faces= names no folder"),
    ],
)
def test_what_cannot_be_a_test_set_is_refused(data: str, test: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _names(data, test)
