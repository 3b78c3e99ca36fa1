"""Drawn data sets as files: each whole or not at all, a stranger's as well as our own."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agfer_bench import DRAWN_MARKER, DatasetSpec, FaceTable, Place, PluginError, UserError
from agfer_bench.faces.synthesise import Drawn, choose, offers, synthesise
from agfer_bench.plugin.catalogue import Entry


def read(place: Place) -> FaceTable:
    raise AssertionError("not read")


def draw(place: Place, *, files: int = 2, tone: str = "grey") -> None:
    assert place.folder is not None
    assert list(place.folder.iterdir()) == []
    (place.folder / "deep").mkdir()
    for number in range(files):
        (place.folder / "deep" / f"{number}.png").write_text(tone)
        place.progress("painting", number + 1, files)


def entry(
    name: str, function: Any = draw, *, layout: str = "", distribution: str = "stranger"
) -> Entry[DatasetSpec]:
    spec = DatasetSpec(name=name, read=read, summary="", draw=function, layout=layout, drawn=True)
    return Entry(spec=spec, distribution=distribution, version="1.2", module="m", options=())


def catalogue(*entries: Entry[DatasetSpec]) -> dict[str, Entry[DatasetSpec]]:
    return {one.spec.name: one for one in entries}


def run(
    folder: Path, *entries: Entry[DatasetSpec], texts: Sequence[str] = (), **other: Any
) -> list[Drawn]:
    return synthesise(
        choose(catalogue(*entries), texts),
        folder,
        cache=folder / "cache",
        workers=1,
        progress=other.get("progress", lambda *_: None),
    )


def failing(error: BaseException) -> Callable[..., None]:
    def fail(place: Place) -> None:
        draw(place)
        raise error

    return fail


def test_sets_are_offered_by_their_layout() -> None:
    sets = (
        entry("one", layout="faces"),
        entry("two", layout="faces"),
        entry("three"),
        entry("four", None),
    )
    assert {name: one.spec.name for name, one in offers(catalogue(*sets)).items()} == {
        "faces": "one",
        "two": "two",
        "three": "three",
    }


def test_all_sets_are_drawn_by_default_each_in_its_folder(tmp_path: Path) -> None:
    done = run(tmp_path / "new" / "drawn", entry("one", layout="faces"), entry("two"))
    assert [(one.drawing.name, one.images) for one in done] == [("faces", 2), ("two", 2)]
    assert [one.drawing.reader for one in done] == ["faces", "two"]
    folder = tmp_path / "new" / "drawn"
    assert sorted(path.name for path in folder.iterdir()) == ["faces", "two"]
    assert sorted(path.name for path in (folder / "faces").iterdir()) == [DRAWN_MARKER, "deep"]


def test_options_are_those_of_draw_and_are_kept_with_the_set(tmp_path: Path) -> None:
    (done,) = run(tmp_path, entry("one"), entry("two"), texts=["two:files=3:tone=dark"])
    assert (done.folder, done.images) == (tmp_path / "two", 3)
    assert (done.folder / "deep" / "2.png").read_text() == "dark"
    text = (done.folder / DRAWN_MARKER).read_text()
    assert "no photographs" in text
    assert "synthesise FOLDER two:files=3:tone=dark\n" in text
    assert "stranger 1.2" in text


def test_progress_comes_through(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    run(tmp_path, entry("one"), progress=lambda *step: heard.append(step))
    assert heard == [("painting", 1, 2), ("painting", 2, 2)]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["on"], "nothing draws 'on'; did you mean 'one'"),
        (["one:file=3"], "one has no option 'file'; did you mean 'files'"),
        (["one:files=x"], "one:files must be of type int"),
        (["one", "one:files=3"], "one stands twice"),
        (["one=folder"], "cannot read 'one=folder'"),
    ],
)
def test_bad_sets(tmp_path: Path, texts: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path, entry("one"), texts=texts)
    assert list(tmp_path.iterdir()) == []


def test_nobody_draws(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no installed plugin draws"):
        run(tmp_path, entry("one", None))


def test_a_folder_in_use_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "mine").touch()
    with pytest.raises(UserError, match="two exists already"):
        run(tmp_path, entry("one"), entry("two"))
    assert [path.name for path in tmp_path.rglob("*")] == ["two", "mine"]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file exists already"):
        run(tmp_path, entry("file"))


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (done,) = run(tmp_path, entry("one"))
    assert done.images == 2


@pytest.mark.parametrize("error", [ValueError("oh\nno"), SystemExit(3), OSError(5, "broken")])
def test_a_plugin_that_raises_is_named_and_leaves_nothing(
    tmp_path: Path, error: BaseException
) -> None:
    with pytest.raises(PluginError, match=r"^stranger: two: draw failed: ") as caught:
        run(tmp_path / "new", entry("one"), entry("two", failing(error)))
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["one"]


def test_the_user_error_of_a_plugin_is_the_users(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^too wide$"):
        run(tmp_path / "new", entry("one", failing(UserError("too wide"))))
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_no_fault_of_the_plugin(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(UserError, match="is full: free some space") as caught:
        run(tmp_path, entry("one", failing(error)))
    assert not isinstance(caught.value, PluginError)
    assert list(tmp_path.iterdir()) == []


def test_a_break_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, entry("one", failing(KeyboardInterrupt())))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot (write|look into)"):
        run(tmp_path / "file", entry("one"))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("paint", "its draw is 'paint', no function"),
        (lambda place, *, much: None, "needs a default value"),
        (lambda place: None, "draw wrote no file"),
    ],
)
def test_a_draw_that_is_none_names_its_plugin(tmp_path: Path, function: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message) as caught:
        run(tmp_path / "new", entry("one", function))
    assert str(caught.value).startswith("stranger: one: ")
    assert not (tmp_path / "new").exists()


def test_half_an_opencv_is_told_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hollow = ModuleType("cv2")
    hollow.__file__ = "/somewhere/cv2/__init__.py"
    monkeypatch.setitem(sys.modules, "cv2", hollow)
    with pytest.raises(UserError, match="OpenCV is there in part only"):
        synthesise([], tmp_path, cache=tmp_path, workers=1, progress=lambda what, done, of: None)
