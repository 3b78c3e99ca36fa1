"""`~` in paths: options in bash's `--out=~/x`, quoted arguments, variables of a Dockerfile."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import pytest
import typer

from agfer_bench.cli.app import main
from agfer_bench.cli.paths import App
from agfer_bench.files import CACHE_VARIABLE, cache_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with a home elsewhere."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["agfer-bench", *arguments])
    try:
        main()
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def test_every_kind_of_path_is_expanded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    app = App()

    @app.command("show")
    def show(
        where: list[Path],
        out: Path = Path("~/default"),
        other: Annotated[Path | None, typer.Option(envvar="OTHER_FOLDER")] = None,
        none: Path | None = None,
        text: str = "~/text",
    ) -> None:
        seen.extend([where, out, other, none, text])

    monkeypatch.setenv("OTHER_FOLDER", "~/other")
    app(["~/a", "b/~", "~no such user/c"], standalone_mode=False)
    assert seen == [
        [home / "a", Path("b/~"), Path("~no such user/c")],
        home / "default",
        home / "other",
        None,
        "~/text",
    ]


def test_the_cache_of_the_environment_is_in_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "~/my cache")
    assert cache_folder() == home / "my cache"
    assert cache_folder(Path("~/other")) == home / "other"


def test_commands_make_no_folder_called_tilde(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "~/crops of faces")
    for emotion in ("fear", "anger"):
        (home / "faces" / emotion).mkdir(parents=True)
        noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
        assert cv2.imwrite(str(home / "faces" / emotion / "a.png"), noise)
    prepare = ("data", "prepare", "--data=image-folder=~/faces", "--set=crop=none")
    assert _run(monkeypatch, *prepare, "--image-size=32") == 0
    assert len(list((home / "crops of faces" / "crops").iterdir())) == 1
    assert _run(monkeypatch, "modules", "new", "my-gate", "~/my-gate") == 0
    assert (home / "my-gate" / "pyproject.toml").is_file()
    assert _run(monkeypatch, "report", "~/absent") == 2
    assert str(home / "absent") in capsys.readouterr().err
    assert _run(monkeypatch, *prepare, "--protocol=~/absent.toml") == 2
    assert str(home / "absent.toml") in capsys.readouterr().err
    assert list(Path.cwd().iterdir()) == []
