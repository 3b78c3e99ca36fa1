"""The folder of a site: what others put there stays, whatever interrupts a build."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agfer_bench.errors import UserError
from agfer_bench.files import draft_of
from agfer_bench.leaderboard.folder import MARKER, check_target, replacing_site


def _build(out: Path, *names: str) -> None:
    check_target(out)
    with replacing_site(out) as folder:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"new {name}")


def _all(folder: Path) -> set[str]:
    return {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}


def _beside(out: Path) -> list[str]:
    return [one.name for one in out.parent.iterdir() if one != out]


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    site = tmp_path / "site"
    _build(site, "index.html", "pages/a.html", "records/1.json")
    yield site
    assert _beside(site) == []


def test_a_site_is_replaced_by_another(out: Path) -> None:
    _build(out, "index.html", "pages/b.html")
    assert _all(out) == {"index.html", "pages/b.html", MARKER}


@pytest.mark.parametrize("marked", [True, False])
def test_what_others_put_there_stays(out: Path, marked: bool) -> None:
    if not marked:  # as earlier versions did
        (out / MARKER).write_text("This folder is made by `agfer-bench leaderboard`\n")
    theirs = {".git/HEAD": "ref", "CNAME": "bench.example.org", "more/of/it": "x"}
    for name, text in theirs.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    (out / "empty").mkdir()
    for names in (("index.html", "pages/b.html"), ("index.html",)):
        _build(out, *names)
        assert _all(out) == {*names, *theirs, MARKER}
        assert all((out / name).read_text() == text for name, text in theirs.items())
        assert (out / "empty").is_dir()
        assert not (out / "pages").exists() or "pages/b.html" in names
    # Once they are gone, the site is what it would have been without them.
    assert set((out / MARKER).read_text().splitlines()[1:]) == {"index.html", MARKER}


def test_a_folder_in_the_way_of_a_file_is_named(out: Path) -> None:
    (out / "across.html").mkdir()
    (out / "across.html" / "mine").write_text("x")
    with pytest.raises(UserError, match=r"across.html is a folder of somebody else; move it away"):
        _build(out, "across.html", "index.html")
    assert (out / "across.html" / "mine").read_text() == "x"


def test_a_marker_cannot_name_files_elsewhere(out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("x")
    (out / "theirs").write_text("x")
    (out / MARKER).write_text((out / MARKER).read_text() + "../other.txt\n")
    _build(out, "index.html")
    assert other.exists()
    other.unlink()


@pytest.mark.parametrize("number", [1, 2])
def test_an_interrupt_between_the_renames_loses_nothing(
    out: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == number:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _build(out, "index.html")
    assert _all(out) == {"index.html", "pages/a.html", "records/1.json", MARKER}


def test_drafts_of_killed_builds_are_removed_and_no_others(out: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from agfer_bench.leaderboard.folder import replacing_site\n"
        "with replacing_site(Path(sys.argv[1])) as folder:\n"
        "    print(folder, flush=True); time.sleep(60)\n"
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", code, str(out)], stdout=subprocess.PIPE, text=True
    )
    assert builder.stdout is not None
    draft = Path(builder.stdout.readline().strip())
    os.utime(draft, (0, 0))  # long ago
    try:
        _build(out, "index.html")
        assert draft.is_dir(), "its builder lives"
    finally:
        builder.kill()
        builder.communicate()
    _build(out, "index.html")
    assert not draft.exists()


def test_a_site_that_was_set_aside_when_its_build_was_killed_comes_back(out: Path) -> None:
    aside = draft_of(out)
    out.rename(aside)
    os.utime(aside, (time.time() - 10,) * 2)
    (aside / "CNAME").write_text("bench.example.org")
    os.utime(aside, (time.time() - 10,) * 2)
    _build(out, "index.html")
    assert _all(out) == {"index.html", "CNAME", MARKER}
