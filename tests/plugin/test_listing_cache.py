"""Kept answers: given again while all that they came from is the same, and only then."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agfer_bench.plugin.listing_cache import while_unchanged

METADATA = "Metadata-Version: 2.1\nName: my-block\nVersion: {version}\n"


class Asked:
    """Asks for what a stranger's plugin says; counts how often it had to be loaded."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.file = folder / "cache" / "answer.json"
        self.made = 0
        self._time = 1_000_000_000

    def write(self, name: str, text: str) -> None:
        """Write a file of the site, as somebody did long ago, each time a second later."""
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self._time += 1
        os.utime(path, (self._time, self._time))

    def __call__(self, *, lasts: bool = True) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            self.made += 1
            for name in ("my_block", "my_block.parts", "my_helper", "my_option"):
                sys.modules.pop(name, None)
            importlib.invalidate_caches()
            return {"says": importlib.import_module("my_block").SAYS}

        return while_unchanged(self.file, make, lambda answer: lasts)


@pytest.fixture(scope="module", autouse=True)
def _nothing_was_just_edited() -> None:
    """Wait out an edit of the checkout: answers that rest on a file just changed are not kept."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    changed = max(Path(file).stat().st_mtime for file in files if file and Path(file).exists())
    time.sleep(max(0.0, changed + 2.1 - time.time()))


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    one = Asked(tmp_path)
    one.write("my_block/parts.py", "SAYS = 'one'")
    one.write(
        "my_block/__init__.py",
        "import my_helper\nfrom my_block.parts import SAYS\n"
        "try:\n    from my_option import SAYS\nexcept ImportError:\n    pass\n",
    )
    one.write("my_block/sizes.json", "{}")
    one.write("my_helper.py", "")
    one.write("my_block-0.7.dist-info/METADATA", METADATA.format(version="0.7"))
    one.write("my_block-0.7.dist-info/entry_points.txt", "[agfer_bench]\nblock = my_block\n")
    for path in (one.site / "my_block-0.7.dist-info", tmp_path):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    monkeypatch.setattr(sys, "path", [str(one.site), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return one


def test_nothing_is_loaded_twice(asked: Asked) -> None:
    assert asked() == asked() == {"says": "one"}
    assert asked.made == 1


def _edit(asked: Asked) -> None:
    asked.write("my_block/parts.py", "SAYS = 'two'")


def _edit_helper(asked: Asked) -> None:
    asked.write("my_helper.py", "import sys\n")


def _edit_data(asked: Asked) -> None:
    asked.write("my_block/sizes.json", "{1}")


def _add_file(asked: Asked) -> None:
    asked.write("my_block/more.py", "")


def _bump(asked: Asked) -> None:
    asked.write("my_block-0.7.dist-info/METADATA", METADATA.format(version="0.8"))


def _point_elsewhere(asked: Asked) -> None:
    asked.write("my_block-0.7.dist-info/entry_points.txt", "[agfer_bench]\nb = my_helper\n")


def _remove(asked: Asked) -> None:
    for path in (asked.site / "my_block-0.7.dist-info").iterdir():
        path.unlink()
    (asked.site / "my_block-0.7.dist-info").rmdir()


def _add(asked: Asked) -> None:
    asked.write("other-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: other\nVersion: 1\n")


def _add_what_was_missing(asked: Asked) -> None:
    asked.write("my_option.py", "SAYS = 'option'")


def _reorder(asked: Asked) -> None:
    sys.path.append(sys.path.pop(0))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_edit, "two"),
        (_edit_helper, "one"),
        (_edit_data, "one"),
        (_add_file, "one"),
        (_add_what_was_missing, "option"),
        (_bump, "one"),
        (_point_elsewhere, "one"),
        (_remove, "one"),
        (_add, "one"),
        (_reorder, "one"),
    ],
)
def test_a_change_renews_it(asked: Asked, change: Callable[[Asked], None], says: str) -> None:
    asked()
    change(asked)
    assert asked() == {"says": says}
    assert asked.made == 2


def test_what_nobody_imports_renews_nothing(asked: Asked) -> None:
    asked()
    asked.write("notes.txt", "")
    asked.write(".tool_cache/x", "")
    asked.write("my_block/__pycache__/parts.cpython-311.pyc", "")
    asked()
    assert asked.made == 1


def test_another_interpreter_renews_it(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    asked()
    monkeypatch.setattr(sys, "version", "4.0.0")
    asked()
    assert asked.made == 2


def _wait(patch: pytest.MonkeyPatch) -> None:
    now = time.time()
    patch.setattr("agfer_bench.plugin.listing_cache.time.time", lambda: now + 601)


@pytest.mark.parametrize(
    ("change", "made"),
    [
        (_wait, 2),
        (lambda patch: patch.setenv("LICENCE", "yes"), 2),
        (lambda patch: patch.setenv("PWD", "elsewhere"), 1),
    ],
)
def test_a_failure_is_kept_for_a_while(
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
    made: int,
) -> None:
    assert asked(lasts=False) == asked(lasts=False) == {"says": "one"}
    assert asked.made == 1, "one broken plugin must not make every list slow"
    change(monkeypatch)
    asked(lasts=False)
    assert asked.made == made


def test_what_did_not_load_is_loaded_again_once_it_is_mended(asked: Asked) -> None:
    asked.write("my_block/parts.py", "SAYS =")

    def make() -> dict[str, Any]:
        asked.made += 1
        for name in ("my_block", "my_block.parts", "my_helper"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        try:
            return {"says": importlib.import_module("my_block").SAYS}
        except SyntaxError:
            return {"says": None}

    def ask() -> dict[str, Any]:
        return while_unchanged(asked.file, make, lambda answer: answer["says"] is not None)

    assert ask() == ask() == {"says": None}
    assert asked.made == 1
    asked.write("my_block/parts.py", "SAYS = 'mended'")
    assert ask() == {"says": "mended"}


def test_a_file_that_changed_since_it_was_loaded_keeps_nothing(asked: Asked) -> None:
    os.utime(asked.site / "my_block" / "parts.py")
    asked()
    asked()
    assert asked.made == 2


def _half(text: str) -> str:
    return text[: len(text) // 2]


@pytest.mark.parametrize(
    "spoil",
    [
        _half,
        lambda text: "",
        lambda text: text.replace('"one"', '"two"'),
        lambda text: text.split("\n")[1],
        lambda text: "\udcff" + text,
        lambda text: "[" * 100_000,
    ],
)
def test_a_spoilt_file_is_made_anew(asked: Asked, spoil: Callable[[str], str]) -> None:
    asked()
    text = asked.file.read_text()
    asked.file.write_text(spoil(text), errors="surrogateescape")
    assert asked() == {"says": "one"}
    assert asked.made == 2
    assert json.loads(asked.file.read_text().split("\n")[1])["answer"] == {"says": "one"}
    asked()
    assert asked.made == 2, "kept again"


def test_a_folder_that_cannot_be_written_costs_only_time(asked: Asked) -> None:
    asked.file.parent.write_text("in the way")
    assert asked() == asked() == {"says": "one"}
    assert asked.made == 2


def test_the_answer_is_the_same_kept_or_not(asked: Asked) -> None:
    def make() -> dict[str, Any]:
        return {"a tuple": (1, 0.1), "a path": Path("x"), "text": "×\ud800"}

    first = while_unchanged(asked.file, make, lambda answer: True)
    assert first == while_unchanged(asked.file, dict, lambda answer: True)
    assert first == {"a tuple": [1, 0.1], "a path": "x", "text": "×\ud800"}
