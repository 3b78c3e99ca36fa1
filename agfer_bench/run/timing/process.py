"""A repeat in a process of its own, watched: it may crash or hang and takes nothing with it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from agfer_bench.run.timing.messages import RepeatJob, RepeatResult
from agfer_bench.run.timing.repeat import Heard

PATIENCE = 600.0
"""Seconds without a sign of life after which a process counts as hung: compiling takes minutes."""

COMMAND = (sys.executable, "-P", "-X", "faulthandler", "-m", "agfer_bench.run.timing.child")


class ProcessDied(Exception):
    """A process ended without a result, or was ended since it hung."""

    def __init__(self, text: str, *, label: str | None, hung: bool, log: str) -> None:
        super().__init__(text)
        self.label = label
        """The module at hand when it died; None for none."""
        self.hung = hung
        """Whether it hung."""
        self.log = log
        """What it last wrote to standard error."""


def run_in_process(job: RepeatJob, heard: Heard) -> RepeatResult:
    """Run a repeat in a fresh process.

    Raises:
        ProcessDied: It ended without a result, or hung.
    """
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=_environment()
        )
        try:
            return _watch(child, job, heard, log)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()


def _environment() -> dict[str, str]:
    """Return the environment, with this process's own import path.

    What training sets for cuBLAS is left out: a repeat after training is then as one without.
    """
    path = os.pathsep.join(part or str(Path.cwd()) for part in sys.path)
    kept = {k: v for k, v in os.environ.items() if k != "CUBLAS_WORKSPACE_CONFIG"}
    return kept | {"PYTHONPATH": path}


def _watch(
    child: subprocess.Popen[bytes], job: RepeatJob, heard: Heard, log: IO[bytes]
) -> RepeatResult:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(job.model_dump_json().encode())
        child.stdin.close()
    except BrokenPipeError:
        pass  # it died at once: the exit code tells more
    lines: queue.Queue[bytes | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
    reader.start()
    label: str | None = None
    while True:
        try:
            line = lines.get(timeout=PATIENCE)
        except queue.Empty:
            child.kill()
            text = f"no sign of life for {PATIENCE:.0f} s; the process was ended"
            raise ProcessDied(text, label=label, hung=True, log=_tail(log)) from None
        if line is None:
            text = _last_words(child.wait(), _tail(log))
            raise ProcessDied(text, label=label, hung=False, log=_tail(log))
        message: dict[str, Any] = json.loads(line)
        if "result" in message:
            reader.join(timeout=PATIENCE)
            return RepeatResult.model_validate(message["result"])
        label = message["label"]
        heard(message["what"], label, message["share"])


def _read(stream: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    for line in stream:
        if line.endswith(b"\n"):  # a process that dies may leave half a line
            lines.put(line)
    lines.put(None)


def _last_words(code: int, log: str) -> str:
    """Say how a process ended, with the last line that it wrote."""
    if code < 0:
        how = f"the process was ended by {_signal(-code)}"
        if -code == signal.SIGTERM or _signal(-code) == "SIGKILL":
            how += ", perhaps for want of memory"
    else:
        how = f"the process ended with code {code}"
    lines = [line for line in log.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    last = (fatal or lines[-1:] or [""])[0].strip()
    return f"{how}: {last}" if last else how


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(log: IO[bytes], size: int = 20_000) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - size))
    return log.read().decode("utf-8", errors="replace")
