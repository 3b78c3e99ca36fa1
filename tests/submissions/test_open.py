"""One record opened for a command: within the limits of `results validate`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app
from agfer_bench.errors import UserError
from agfer_bench.records.files import RECORD
from agfer_bench.submissions.open import open_calibration, open_record, open_run, open_speed

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"


def _pipe(folder: Path, text: str) -> None:
    os.mkfifo(folder / RECORD)


def _sparse(folder: Path, text: str) -> None:
    (folder / RECORD).write_text('{"schema_version": "')
    os.truncate(folder / RECORD, 2**31)


def _device(folder: Path, text: str) -> None:
    (folder / RECORD).symlink_to("/dev/zero")


def _folder(folder: Path, text: str) -> None:
    (folder / RECORD).mkdir()


def _with(old: str, new: str) -> Callable[[Path, str], None]:
    def write(folder: Path, text: str) -> None:
        assert old in text
        (folder / RECORD).write_text(text.replace(old, new, 1))

    return write


KINDS: dict[str, tuple[Callable[[Path, str], None], str]] = {
    "pipe": (_pipe, "is no plain file"),
    "sparse": (_sparse, "is larger than"),
    "device": (_device, "is a link"),
    "folder": (_folder, "is no plain file"),
    "depth": (_with('"notes":[', '"notes":[' + "[" * 5000 + "]" * 5000 + ","), "nested"),
    "digits": (_with('"seed":0', '"seed":' + 5000 * "9"), "too large"),
    "not finite": (_with('"alpha":0.125', '"alpha":NaN'), "NaN"),
    "values": (_with('"notes":[', '"notes":[' + '"1",' * 1_000_001), "more than 1,000,000 val"),
    "twice": (_with('"seed":0', '"seed":0,"seed":0'), "twice"),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_record_is_one_line(name: str, tmp_path: Path) -> None:
    write, said = KINDS[name]
    write(tmp_path, (PUBLISHED / "quick-cpu" / RECORD).read_text().replace(" ", ""))
    with pytest.raises(UserError) as caught:
        open_record(tmp_path)
    message = str(caught.value)
    assert said in message
    assert str(tmp_path) in message
    assert "\n" not in message
    for command in (["report"], ["report", "--json"], ["compare"]):
        result = CliRunner().invoke(app, [*command, str(tmp_path)])
        assert isinstance(result.exception, UserError), command
        assert str(result.exception) == message


def test_each_kind_is_told_from_the_others() -> None:
    run, speed = PUBLISHED / "quick-cpu", PUBLISHED / "speed-quick-cpu"
    calibration = PUBLISHED / "calibration-quick-cpu"
    assert open_run(run).modules == open_run(run / RECORD).modules
    assert open_speed(speed).rows
    assert open_calibration(calibration).networks
    for wrong, opens, said in (
        (speed, open_run, "of `agfer-bench speed`"),
        (calibration, open_run, "is of a calibration"),
        (run, open_speed, "is of no speed comparison"),
        (run, open_calibration, "is of no calibration"),
    ):
        with pytest.raises(UserError, match=said):
            opens(wrong)
    with pytest.raises(UserError, match="name the folder of a run"):
        open_record(PUBLISHED / "absent")


@pytest.mark.parametrize("command", [["report"], ["compare"]])
def test_a_contradiction_is_told_and_shown(command: list[str], tmp_path: Path) -> None:
    text = (PUBLISHED / "quick-cpu" / RECORD).read_text()
    content = json.loads(text)
    content["protocol"]["epochs"] += 1
    (tmp_path / RECORD).write_text(json.dumps(content))
    doubted = CliRunner().invoke(app, [*command, str(tmp_path)])
    assert doubted.exit_code == 0
    told = " ".join(doubted.stderr.split())
    assert "contradicts itself and would not be published: protocol_fingerprint" in told
    sound = CliRunner().invoke(app, [*command, str(PUBLISHED / "quick-cpu")])
    assert "contradicts" not in sound.stderr


def test_a_list_is_no_record(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(json.dumps([1]))
    with pytest.raises(UserError, match="is no valid record: the file: Input should be"):
        open_record(tmp_path)
