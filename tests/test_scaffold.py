"""`agfer-bench modules new`: what it writes works as it is; what it refuses leaves nothing."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from agfer_bench import Slot
from agfer_bench.cli.app import main
from agfer_bench.errors import UserError
from agfer_bench.measure.size import parameters
from agfer_bench.network.build import build_block
from agfer_bench.plugin.finder import _is_name, load_catalogue
from agfer_bench.scaffold import names
from agfer_bench.scaffold.new import render, write_distribution
from agfer_bench.testing import REQUIRED

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    ".github/workflows/check.yml",
    ".gitignore",
    "README.md",
    "pyproject.toml",
    "src/my_gate/__init__.py",
    "src/my_gate/py.typed",
    "tests/test_contract.py",
}
LONG = "a-" + "gate" * 9 + "-x"  # 40 characters


def _write(folder: Path, name: str = "my-gate", author: str | None = None) -> list[Path]:
    return write_distribution(name, folder, author=author, taken={"se": "agfer-bench"})


def _python(
    *arguments: object, cwd: Path, paths: tuple[Path, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "COLUMNS": "200"},
        check=False,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "my-gate"
    _write(folder, author='Ada "Countess" Löwe')
    return folder


@pytest.fixture(scope="module")
def site(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what was written, as pip does it."""
    site = tmp_path_factory.mktemp("site")
    done = _python(
        *("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site),
        written,
        cwd=site,
    )
    assert done.returncode == 0, done.stderr
    return site


def test_it_is_complete(written: Path) -> None:
    files = {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()}
    assert files == FILES
    project = tomllib.loads((written / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "my-gate"
    assert project["entry-points"] == {"agfer_bench": {"my-gate": "my_gate"}}
    assert project["authors"] == [{"name": 'Ada "Countess" Löwe'}]
    ours = f"agfer-bench>={importlib.metadata.version('agfer-bench')}"
    assert ours in project["dependencies"]
    assert any(one.startswith("pytest") for one in project["optional-dependencies"]["test"])
    for path in written.rglob("*"):
        assert path.is_dir() or not re.search(r"\{[{%#]|[%#]\}", path.read_text(encoding="utf-8"))


def test_the_contract_is_imported_as_documented(written: Path) -> None:
    text = (written / "tests" / "test_contract.py").read_text(encoding="utf-8")
    assert "from agfer_bench.testing import parametrize_with_checks\n" in text
    assert (
        '@parametrize_with_checks("my-gate", "my-gate:kernel=5")\n'
        "def test_contract(block, check):\n    check(block)\n"
    ) in text


@pytest.mark.slow
def test_its_own_tests_pass(written: Path, site: Path, tmp_path: Path) -> None:
    done = _python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", written), cwd=tmp_path, paths=(site,)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) == 2 + 2 * len(REQUIRED), "its own, and the contract's for two choices"


def test_its_own_tests_can_fail(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (written / "src" / "my_gate" / "__init__.py").read_text(encoding="utf-8")
    tests = (written / "tests" / "test_contract.py").read_text(encoding="utf-8")
    block, contract, module = map(ModuleType, ("my_gate", "agfer_bench.testing", "tests_of_it"))
    vars(contract)["parametrize_with_checks"] = lambda *names: lambda function: function
    monkeypatch.setitem(sys.modules, "my_gate", block)
    monkeypatch.setitem(sys.modules, "agfer_bench.testing", contract)
    by_hand = "test_one_element_is_what_it_is_by_hand"
    exec(source, vars(block))
    exec(tests, vars(module))
    vars(module)[by_hand]()
    wrong = source.replace("x_BCHW * torch.sigmoid(", "x_BCHW * torch.tanh(")
    assert wrong != source
    exec(wrong, vars(block))
    exec(tests, vars(module))
    with pytest.raises(AssertionError, match="not close"):
        vars(module)[by_hand]()


def test_the_formula_is_the_count(written: Path, plugin: Callable[[str, str], EntryPoint]) -> None:
    source = (written / "src" / "my_gate" / "__init__.py").read_text(encoding="utf-8")
    catalogue = load_catalogue([plugin("my-gate", source)])
    assert not catalogue.problems
    for text, kernel in (("my-gate", 3), ("my-gate:kernel=5", 5)):
        (chosen,) = catalogue.choose_modules(text)
        slot = Slot(channels=8, height=6, width=6, classes=7, stage=2)
        count = parameters(build_block(chosen, slot))
        assert count == 8 * (kernel**2 + 1), "a weight for each neighbour and a bias, per channel"
        assert count == eval(chosen.entry.spec.formula, {"C": 8, "kernel": kernel})


@pytest.mark.parametrize("name", ["my-gate", "x", LONG])
def test_it_keeps_our_own_rules(name: str, tmp_path: Path) -> None:
    assert len(LONG) == names.LONGEST
    _write(tmp_path / name, name)
    for arguments in (("check", "--no-cache"), ("format", "--check", "--no-cache")):
        done = _python(
            *("-m", "ruff", *arguments, "--config", ROOT / "pyproject.toml", "."),
            cwd=tmp_path / name,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_typed(written: Path, tmp_path: Path) -> None:
    # torch is left out: to read it would take a minute.
    done = _python(
        *("-m", "mypy", "--strict", "--follow-imports=skip", "--allow-subclassing-any"),
        *("--allow-untyped-decorators", "--no-warn-return-any", "--config-file", os.devnull),
        *("--cache-dir", tmp_path, "src"),
        cwd=written,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_is_one(written: Path) -> None:
    yaml = pytest.importorskip("yaml")
    text = (written / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert "agfer-bench modules check my-gate" in runs
    (run,) = [line for line in runs if line.startswith("agfer-bench run")]
    assert "--modules my-gate,se" in run
    assert job["steps"][-1]["uses"].startswith("actions/upload-artifact@")


def test_the_command_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["agfer-bench", "modules", "new", "my-gate", "a folder/x"])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert (tmp_path / "a folder" / "x" / "pyproject.toml").is_file()
    out = capsys.readouterr().out
    assert "pip install -e 'a folder/x[test]'" in out
    assert "agfer-bench modules check my-gate" in out
    assert "agfer-bench run --modules my-gate,se" in out


def test_the_command_knows_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["agfer-bench", "modules", "new", "cbam"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "the name 'cbam' is taken by agfer-bench" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My-Gate", "lower-case"),
        ("my_gate", "lower-case"),
        ("my gate", "lower-case"),
        ("", "lower-case"),
        ("../gate", "lower-case"),
        ("my-gate\n", "lower-case"),
        ("gäte", "lower-case"),
        ("3d-gate", "starting with a letter"),
        ("gate-", "ending with a letter or digit"),
        ("a--b", "single dashes"),
        ("x" * 41, "at most 40"),
        ("se", "taken by agfer-bench"),
        ("class", "keyword"),
        ("json", "standard library"),
        ("torch", "a Python module torch is there already"),
        ("agfer-bench", "a Python module agfer_bench is there already"),
        ("tests", "a Python module tests is there already"),
        ("scikit-learn", "the distribution scikit-learn is installed"),
        ("check", "is a command"),
    ],
)
def test_a_name_that_will_not_do(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _write(tmp_path / "new", name)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@given(st.text("a0-_A", max_size=8))
@example("a-0")
def test_a_name_of_the_form_is_one_everywhere(name: str) -> None:
    if names._FORM.fullmatch(name):
        assert _is_name(name)
        assert name.replace("-", "_").isidentifier()


def test_every_subcommand_is_no_name() -> None:
    from agfer_bench.cli.modules.app import app

    commands = {one.name for one in app.registered_commands}
    assert commands <= set(names._SUBCOMMANDS)


def _tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        _write(tmp_path)
    assert _tree(tmp_path) == ["notes.txt"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=r"is no folder|cannot write") as caught:
            _write(folder)
        assert "\n" not in str(caught.value)
    assert _tree(tmp_path) == ["file"]


def test_a_link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="is no folder"):
        _write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    before = tmp_path.stat().st_ino
    _write(tmp_path)
    assert set(_tree(tmp_path)) >= FILES
    assert tmp_path.stat().st_ino == before, "somebody may stand in it"


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_after_an_error(
    there: bool, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "b"
    if there:
        folder.mkdir(parents=True)
    before = _tree(tmp_path)
    real = Path.write_text

    def fails(path: Path, *rest: object, **more: object) -> int:
        if path.suffix == ".toml":
            raise error
        return real(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", fails)
    expected = UserError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        _write(folder)
    assert _tree(tmp_path) == before


@pytest.mark.parametrize("author", ["", "  ", "Ada\nLicense: none", "\x7f"])
def test_an_author_that_will_not_do(author: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--author"):
        _write(tmp_path / "new", author=author)


def test_a_template_cannot_name_what_is_not_there() -> None:
    with pytest.raises(UndefinedError):
        render(name="my-gate")
