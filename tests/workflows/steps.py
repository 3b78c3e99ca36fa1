"""The `run:` lines of the workflow files and of the action, and a runner like GitHub's for them."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agfer_bench.scaffold.new import write_distribution

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
SCAFFOLD = "scaffold"
"""Stands for the workflow that `modules new` writes."""
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True)
class Step:
    """A step with a line to run."""

    where: str
    """Name of its file."""
    script: str
    """What is run."""
    shell: str
    """`bash`, or empty where GitHub chooses."""
    env: dict[str, str] = field(hash=False)
    """Variables as written, with expressions."""

    @property
    def title(self) -> str:
        return f"{self.where}: {self.script.splitlines()[0]}"


def scaffold() -> str:
    """Return the workflow of a distribution that `modules new` writes."""
    with tempfile.TemporaryDirectory() as folder:
        write_distribution("my-gate", Path(folder) / "my-gate", author=None, taken={})
        file = Path(folder) / "my-gate" / ".github" / "workflows" / "check.yml"
        return file.read_text(encoding="utf-8")


def steps_of(where: str, text: str) -> Iterator[Step]:
    content = yaml.safe_load(text)
    jobs = [*content.get("jobs", {}).values(), *filter(None, [content.get("runs")])]
    shell = content.get("defaults", {}).get("run", {}).get("shell", "")
    for job in jobs:
        env = {**content.get("env", {}), **job.get("env", {})}
        for step in job["steps"]:
            if "run" in step:
                own = {**env, **step.get("env", {})}
                yield Step(where, step["run"], step.get("shell", shell), own)


def all_steps() -> list[Step]:
    files = {path.name: path.read_text(encoding="utf-8") for path in (*WORKFLOWS, ACTION)}
    texts = {**files, SCAFFOLD: scaffold()}
    return [step for where, text in texts.items() for step in steps_of(where, text)]


@dataclass
class Runner:
    """A machine of GitHub's, as far as the lines need one."""

    folder: Path
    """The checkout, where lines are run."""
    temp: Path
    """Where the files are that lines write to."""
    bytecode: Path
    """Where compiled modules are kept, for all lines: they import much."""
    ran: list[Step] = field(default_factory=list)
    """What was run."""
    alone: bool = False
    """Whether lines find no commands but stubs."""

    def __post_init__(self) -> None:
        (self.temp / "bin").mkdir(parents=True)
        self.stub("sudo", "")

    def stub(self, name: str, script: str) -> None:
        """Put a command before the real one: it notes its arguments, then runs a script."""
        file = self.temp / "bin" / name
        note = f'printf "%s\\n" "{name} $*" >> "{self.temp}/calls"'
        file.write_text(f"#!/usr/bin/env bash\nset -e\n{note}\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def only(self, commands: Iterable[str]) -> None:
        """Leave lines bash and stubs of some commands, as on a machine that has no others."""
        self.alone = True
        (self.temp / "bin" / "sudo").unlink()
        (self.temp / "bin" / "bash").symlink_to(shutil.which("bash") or "/bin/bash")
        for name in commands:
            self.stub(name, "")

    def calls(self) -> list[str]:
        """Return the calls of stubs since this was asked last."""
        file = self.temp / "calls"
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return text.splitlines()

    def text(self, name: str) -> str:
        file = self.temp / name
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def __call__(
        self, step: Step, values: Mapping[str, Any] | None = None, /, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a line as GitHub does, its expressions filled in."""
        self.ran.append(step)
        known = values or {}
        filled = {
            name: EXPRESSION.sub(lambda match: str(known[match[1]]), text)
            for name, text in step.env.items()
        }
        script = self.temp / "line.sh"
        script.write_text(step.script)
        options = ["--noprofile", "--norc", "-eo", "pipefail"] if step.shell == "bash" else ["-e"]
        path = [str(self.temp / "bin")]
        if not self.alone:
            path += [str(Path(sys.executable).parent), os.environ["PATH"]]
        github = {
            "GITHUB_OUTPUT": self.temp / "output",
            "GITHUB_STEP_SUMMARY": self.temp / "summary",
            "RUNNER_TEMP": self.temp,
        }
        return subprocess.run(
            ["bash", *options, str(script)],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "",
                "PYTHONPYCACHEPREFIX": str(self.bytecode),
                "OMP_NUM_THREADS": "1",
                "COLUMNS": "200",
                **{name: str(file) for name, file in github.items()},
                **env,
                **filled,
                "PATH": os.pathsep.join(path),
            },
            capture_output=True,
            text=True,
            check=False,
        )
