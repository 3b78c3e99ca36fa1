"""`--jobs` as a person uses it: installed strangers, Ctrl-C, a process that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.run.support import HEAD, install

pytestmark = pytest.mark.slow

SETTINGS = (
    *("crop=none", "image_size=32", "folds=2", "seeds=1", "epochs=1", "batch_size=8"),
    "speed.rounds=2",
)
PATIENCE = 120.0
"""Seconds after which something that should happen is taken to have failed."""

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")


def _start(site: Path, blobs: Path, folder: Path, modules: str) -> subprocess.Popen[str]:
    """Start the command as a terminal does: with its children, in a process group of its own."""
    # Shells have what they start in the background ignore Ctrl-C, these tests included.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code = "import sys; from agfer_bench.cli.app import main; sys.argv[0] = 'agfer-bench'; main()"
    code = heed + code
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    where = ("--data", f"image-folder={blobs}", "--out", folder / "out", "--cache", folder / "c")
    return subprocess.Popen(
        [
            *(sys.executable, "-c", code, "run", "--modules", modules, "--jobs", "2", "--json"),
            *("--controls", "none"),
            *map(str, where),
            *(part for setting in SETTINGS for part in ("--set", setting)),
        ],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "MARKS": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _alive(group: int) -> list[int]:
    """Return the processes of a group that run, those aside that have ended but are not reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def _until(what: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def test_an_installed_strangers_block_is_found_and_may_print(blobs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    forward = "print('hello') if self.training and self.calls == 1 else None\n        return x"
    install(site, "my-block", HEAD.format(forward=forward, build="return Block()", name="mine"))
    command = _start(site, blobs, tmp_path, "mine")
    out, err = command.communicate(timeout=PATIENCE)
    assert command.returncode == 0, err
    rows = json.loads(out)["rows"]
    assert [(row["module"], row["error"]) for row in rows] == [("base", ""), ("mine", "")]
    words = [line.split()[0] for line in err.splitlines() if line.strip()]
    assert words.count("hello") == 6, "three slots, two folds"
    assert set(words) - {"hello"} <= {
        "cropping",
        "looking",  # for copies
        "training",
        "timing",
    }
    (path,) = (tmp_path / "out").glob("quick-*")
    record = json.loads((path / "record.json").read_text())
    threads = record["environment"]["training_threads"] or record["environment"]["threads"]
    assert threads == 1, "a small network's, whatever --jobs is"
    jobs = (tmp_path / "out" / "jobs").glob("*/record.json")
    addresses = [json.loads(path.read_text())["address"] for path in jobs]
    assert {address["threads"] for address in addresses} == {1}


@linux
@pytest.mark.parametrize("how", ["ctrl-c", "killed"])
def test_processes_end_with_the_command(blobs: Path, tmp_path: Path, how: str) -> None:
    site = tmp_path / "site"
    site.mkdir()
    forward = (
        "if self.training:\n"
        "            pathlib.Path(os.environ['MARKS'], f'mark-{os.getpid()}').touch()\n"
        "            time.sleep(3600)\n"
        "        return x"
    )
    source = "import os, pathlib, time\n" + HEAD.format(
        forward=forward, build="return Block()", name="slow"
    )
    install(site, "my-block", source)
    command = _start(site, blobs, tmp_path, "slow")
    try:
        _until(lambda: len(list(tmp_path.glob("mark-*"))) == 2)
        marked = {int(path.name.removeprefix("mark-")) for path in tmp_path.glob("mark-*")}
        assert marked < set(_alive(command.pid))
        if how == "ctrl-c":
            os.killpg(command.pid, signal.SIGINT)  # all processes hear it, as from a terminal
        else:
            command.kill()
        out, err = command.communicate(timeout=PATIENCE)
        _until(lambda: not _alive(command.pid))
    finally:
        if _alive(command.pid):
            os.killpg(command.pid, signal.SIGKILL)
    assert out == ""
    assert "Traceback" not in err
    if how == "ctrl-c":
        assert command.returncode == 130
        assert "finished jobs are kept" in err
    jobs = list((tmp_path / "out" / "jobs").glob("[0-9a-f]*/record.json"))
    assert len(jobs) == 2, "base's"
