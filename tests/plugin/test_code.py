"""What code a block consists of: its own files, what they import, and no neighbours."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agfer_bench.plugin.code import Code, code_of

FILES = {
    "shelf/__init__.py": """
from shelf.one import One
from shelf.two import Two

WIDTH = 3

def build_one(slot):
    return One(WIDTH)

def build_two(slot):
    return Two()
""",
    "shelf/one.py": """
from tools import gate
from shelf.common import Common

class One(Common):
    def __init__(self, width=1):
        self.width = width
    def forward(self, x):
        return gate(x)
""",
    "shelf/two.py": """
class Two:
    def forward(self, x):
        from shelf import late
        return late.call(x)
""",
    "shelf/common.py": "class Common:\n    pass\n",
    "shelf/late.py": "def call(x):\n    return x\n",
    "library/tools/__init__.py": "from tools.gates import gate\nfrom tools.unused import other\n",
    "library/tools/gates.py": """
from tools.numbers import HALF

def gate(x):
    return x * HALF
""",
    "library/tools/numbers.py": "HALF = 0.5\n",
    "library/tools/unused.py": "def other():\n    pass\n",
}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return a function that changes some text in a file and loads everything anew."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for folder in (tmp_path, tmp_path / "library"):
        monkeypatch.syspath_prepend(str(folder))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def forget() -> None:
        for name in [one for one in sys.modules if one.partition(".")[0] in ("shelf", "tools")]:
            del sys.modules[name]

    def load(file: str = "", before: str = "", after: str = "") -> Any:
        if file:
            text = (tmp_path / file).read_text()
            assert before in text
            (tmp_path / file).write_text(text.replace(before, after))
        forget()
        importlib.invalidate_caches()
        return importlib.import_module("shelf")

    yield load
    forget()


def _codes(module: Any) -> dict[str, Code]:
    return {
        name: code_of(build, [build(None)])
        for name, build in {"one": module.build_one, "two": module.build_two}.items()
    }


def test_a_block_consists_of_its_files_and_of_what_they_import(
    shelf: Callable[..., Any],
) -> None:
    codes = _codes(shelf())
    assert set(codes["one"].files) == {
        "shelf.one",
        "shelf.common",
        "tools.gates",
        "tools.numbers",
    }
    assert set(codes["two"].files) == {"shelf.two", "shelf.late"}
    assert codes["one"].parts.keys() == {"shelf:build_one", "shelf:WIDTH"}


@pytest.mark.parametrize(
    ("file", "before", "after", "changed"),
    [
        ("shelf/one.py", "self.width = width", "self.width = 2 * width", {"one"}),
        ("shelf/two.py", "late.call(x)", "late.call(x + 1)", {"two"}),
        ("shelf/common.py", "pass", "other = 1", {"one"}),
        ("shelf/late.py", "return x", "return -x", {"two"}),
        ("library/tools/numbers.py", "0.5", "0.25", {"one"}),
        ("library/tools/unused.py", "pass", "return 1", set()),
        ("shelf/__init__.py", "WIDTH = 3", "WIDTH = 4", {"one"}),
        ("shelf/__init__.py", "return Two()", "return Two() or None", {"two"}),
        ("shelf/__init__.py", "WIDTH = 3", "UNUSED = 1\nWIDTH = 3", set()),
    ],
)
def test_a_change_reaches_those_that_it_is_of(
    shelf: Callable[..., Any], file: str, before: str, after: str, changed: set[str]
) -> None:
    old = _codes(shelf())
    new = _codes(shelf(file, before, after))
    assert {name for name in old if old[name].sha256 != new[name].sha256} == changed


def test_code_is_known_by_what_was_loaded(shelf: Callable[..., Any], tmp_path: Path) -> None:
    """A file that is edited while it runs does not lend its new hash to the old code."""
    module = shelf()
    before = _codes(module)
    (tmp_path / "shelf" / "one.py").write_text("")
    assert _codes(module)["one"].sha256 == before["one"].sha256


def test_large_libraries_are_known_by_their_version() -> None:
    from agfer_bench_timm.channel import SPECS  # any block that is made of timm's layers

    code = code_of(SPECS[0].build)
    assert code.versions.keys() >= {"timm"}
    assert not any(name.startswith(("timm", "torch")) for name in code.files)


def test_code_without_a_file_is_known_by_its_compiled_form() -> None:
    def made(number: int) -> Callable[[Any], Any]:
        space: dict[str, Any] = {"__name__": "nowhere"}
        exec(f"def build(slot):\n    return slot * {number}", space)
        return space["build"]  # type: ignore[no-any-return]

    assert code_of(made(2)).sha256 == code_of(made(2)).sha256 != code_of(made(3)).sha256


def test_what_a_partial_is_bound_to_counts() -> None:
    from functools import partial

    def build(slot: Any, *, factor: int) -> Any:
        return slot * factor

    codes = {code_of(partial(build, factor=factor)).sha256 for factor in (1, 2, 2)}
    assert len(codes) == 2


def test_a_name_that_stands_for_nothing_yet_is_passed_over() -> None:
    def build(slot: Any) -> Any:
        return later(slot)

    if False:
        later: Any = None
    assert "build" in next(iter(code_of(build).parts))
