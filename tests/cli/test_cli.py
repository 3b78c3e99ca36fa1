"""The command line, as a person uses it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from agfer_bench import DRAWN_MARKER
from agfer_bench.cli.app import main
from agfer_bench.run.jobs import guarded as outcome
from agfer_bench.run.jobs import network as jobs

TINY = (
    *("--set", "crop=none", "--image-size", "32", "--folds", "2", "--epochs", "1"),
    *("--batch-size", "8", "--set", "seeds=1"),
    *("--jobs", "1"),  # in this process, so that what a test puts in place is met
    *("--set", "speed.warmup=1", "--set", "speed.rounds=2"),
    *("--set", "speed.passes=1"),
    *("--set", "speed.repeats=1", "--set", "speed.fresh=false", "--set", "speed.seconds=0"),
)


class Command:
    """Runs the command in this process, with its own output and cache folders."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: object) -> int:
        """Return the exit code; keep what was printed."""
        before = sys.argv
        sys.argv = ["agfer-bench", *map(str, arguments)]
        try:
            main()
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        finally:
            sys.argv = before
        self.out, self.err = self._capsys.readouterr()
        return code

    def run(self, data: object, *arguments: object) -> int:
        """Run the tiny comparison on a folder of images."""
        out, cache = self.folder / "out", self.folder / "cache"
        where = ("--data", f"image-folder={data}", "--out", out, "--cache", cache)
        where = (*where, *(() if "--controls" in arguments else ("--controls", "none")))
        return self("run", *where, *TINY, *arguments)


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("COLUMNS", "200")
    return Command(tmp_path, capsys)


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys\nfrom agfer_bench.cli.app import main\nsys.argv = ['agfer-bench', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'cv2', 'timm', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("run", "modules", "data", "report"):
        assert name in done.stdout


def test_run_and_report(command: Command, blobs: Path) -> None:
    assert command.run(blobs, "--modules", "se:reduction=4,agfer") == 0
    assert [name for name in ("base", "se:reduction=4", "agfer") if name in command.out] == [
        "base",
        "se:reduction=4",
        "agfer",
    ]
    assert "SD" in command.out
    assert "epochs=1" in command.out, "the title names what differs from the preset"
    (folder,) = (command.folder / "out").glob("quick-*")
    table = command.out.split("Written to")[0]
    assert command("report", folder) == 0
    assert command.out.strip() == table.strip()
    assert command("report", folder, "--json") == 0
    rows = json.loads(command.out)["rows"]
    assert [row["module"] for row in rows] == ["base", "se:reduction=4", "agfer"]
    assert 0 <= rows[0]["accuracy_mean"] <= 1


def test_base_is_added_once_and_first(command: Command, blobs: Path) -> None:
    assert command.run(blobs, "--modules", "se,base", "--json") == 0
    shown = json.loads(command.out)
    assert [row["module"] for row in shown["rows"]] == ["base", "se"]
    assert (Path(shown["folder"]) / "record.json").is_file()


def test_modules(command: Command) -> None:
    assert command("modules", "--json") == 0
    listed = {one["name"]: one for one in json.loads(command.out)["modules"]}
    assert listed["agfer"]["parameters"] == 44_419
    assert listed["cbam"]["source"] == "arXiv:1807.06521"
    assert command("modules") == 0
    assert "44,419" in command.out
    assert command("modules", "cbam:shared_mlp=true") == 0
    assert "44,257" in command.out
    assert command("modules", "cbm") == 2
    assert "did you mean 'cbam'" in command.err


def test_data_list_and_prepare(command: Command, blobs: Path) -> None:
    assert command("data", "list", "--json") == 0
    names = {one["name"] for one in json.loads(command.out)["datasets"]}
    assert {"image-folder", "synthetic"} <= names
    common = ("--data", f"image-folder={blobs}", "--cache", command.folder / "cache")
    assert command("data", "prepare", *common, "--set", "crop=none", "--json") == 0
    prepared = json.loads(command.out)
    assert prepared["images_kept"] == {"anger": 12, "happiness": 12, "sadness": 12}
    assert (Path(prepared["folder"]) / "excluded.csv").is_file()
    assert command("data", "prepare", *common, "--set", "crop=none") == 0
    assert "0 of 36 left out" in command.out


def test_data_prepare_counts_what_an_official_split_keeps(command: Command, blobs: Path) -> None:
    """A training image that is also judged is not trained on: the table does not keep it."""
    folder = command.folder / "parted"
    shutil.copytree(blobs, folder / "train")
    for emotion in ("anger", "happiness", "sadness"):
        (folder / "test" / emotion).mkdir(parents=True)
        for path in sorted((folder / "train" / emotion).iterdir())[-4:]:
            path.rename(folder / "test" / emotion / path.name)
    judged = sorted((folder / "test" / "sadness").iterdir())[0]
    shutil.copy(judged, folder / "train" / "sadness" / "copy.png")
    common = ("--data", f"image-folder={folder}", "--cache", command.folder / "cache")
    settings = ("--set", "crop=none", "--set", "split=official")
    assert command("data", "prepare", *common, *settings) == 0
    rows = {
        row[0]: row[1:]
        for line in command.out.splitlines()
        if (row := line.replace("│", " ").replace("┃", " ").split())
    }
    assert rows["class"] == ["photographs", "kept", "copies"]
    assert rows["anger"] == ["12", "12", "0"]
    assert rows["sadness"] == ["13", "12", "1"]
    assert rows["all"] == ["37", "36", "1"]
    assert "1 of 37 left out" in command.out


def test_data_synthesise(command: Command) -> None:
    folder = command.folder / "my drawn"
    sets = (
        "oulu-casia:subjects=1:frames=2:width=64:height=48",
        "faces:persons=1:width=40:height=50",
    )
    assert command("data", "synthesise", folder, *sets, "--workers", "2") == 0
    assert f"oulu-casia: 12 images in {folder}/oulu-casia" in command.out
    assert f"faces: 12 images in {folder}/faces" in command.out
    data, test = f"'oulu-casia={folder}/oulu-casia'", f"'faces={folder}/faces'"
    assert f"Next: agfer-bench run --data {data} --test {test}" in command.out
    assert (folder / "oulu-casia" / "OriginalImg" / "VL" / "Strong" / "P001" / "Fear").is_dir()
    assert command("data", "synthesise", folder, sets[1]) == 2
    assert "faces exists already" in command.err
    assert command.err.count("\n") == 1
    assert command("data", "synthesise", command.folder / "more", sets[1], "--json") == 0
    answer = json.loads(command.out)
    assert [one["images"] for one in answer["drawn"]] == [12]
    assert answer["drawn"][0]["options"]["seed"] == 0


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["face"], "did you mean 'faces'"),
        (["faces:person=3"], "did you mean 'persons'"),
        (["faces:persons=0"], "persons=0 must be from 1"),
        (["oulu-casia:width=big"], "must be of type int"),
    ],
)
def test_bad_sets_to_synthesise(command: Command, sets: list[str], message: str) -> None:
    assert command("data", "synthesise", command.folder / "drawn", *sets) == 2
    assert message in command.err
    assert command.err.count("\n") == 1
    assert not (command.folder / "drawn").exists()


def _mask(path: Path, size: int, levels: tuple[int, ...]) -> Path:
    pixels = np.resize(np.array(levels, dtype=np.uint8), (size, size))
    assert cv2.imwrite(str(path), pixels)
    return path


def test_a_mask_of_ones_own_is_part_of_the_protocol(command: Command, blobs: Path) -> None:
    mask = _mask(command.folder / "mask.png", 32, (0, 255))
    assert command.run(blobs, "--modules", "base", "--mask", mask) == 0
    (folder,) = (command.folder / "out").glob("quick-*")
    protocol = json.loads((folder / "record.json").read_text())["protocol"]
    assert protocol["mask"].startswith("sha256:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--modules", ""], "names no module"),
        (["--modules", "agfr"], "did you mean 'agfer'"),
        (["--modules", "se:reduction=x"], "se:reduction must be of type int"),
        (["--modules", "se", "--epochs", "0"], "epochs = 0"),
        (["--set", "epoch=3"], "did you mean 'epochs'"),
        (["--learning-rate", "inf"], "learning_rate"),
        (["--set", "preset=paper"], "use --preset"),
        (["--modules", "se:reduction=0"], "at least 1"),
        (["--out", "/proc/nowhere"], "cannot write"),
        (["--set", "epochs"], "expected NAME=VALUE"),
        (["--preset", "papr"], "did you mean 'paper'"),
        (["--preset", "paper", "--protocol", "x.toml"], "not both"),
        (["--protocol", "absent.toml"], "cannot read protocol"),
        (["--mask", "absent.png"], "absent.png"),
        (["--stride", "8"], "stride = 8"),
        (["--data", "image-folder"], "needs a folder"),
        (["--data", "image-folder="], "names no folder"),
        (["--data", "image-folder=absent"], "no such folder"),
        (["--data", "imagefolder=x"], "did you mean 'image-folder'"),
        (["--data", "synthetic=x"], "takes no folder"),
        (["--data", "synthetic:subject=3"], "did you mean 'subjects'"),
    ],
)
def test_bad_arguments_are_one_line(
    command: Command, blobs: Path, arguments: list[str], message: str
) -> None:
    assert command.run(blobs, *arguments) == 2
    assert message in command.err
    assert command.err.startswith("error: ")
    assert len(command.err.strip().splitlines()) == 1
    assert not (command.folder / "out").exists()


def test_masks_that_do_not_fit(command: Command, blobs: Path) -> None:
    small = _mask(command.folder / "small.png", 16, (0, 255))
    grey = _mask(command.folder / "grey.png", 32, (0, 100, 255))
    text = command.folder / "text.png"
    text.write_text("no picture")
    for path in (small, grey, text):
        assert command.run(blobs, "--mask", path) == 2
        assert path.name in command.err
        assert "Traceback" not in command.err


def test_no_cuda_is_said(command: Command, blobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert command.run(blobs, "--device", "cuda") == 2
    assert "use --device cpu" in command.err


def test_data_that_are_too_small(command: Command, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert command.run(empty) == 2
    assert "holds no image" in command.err
    one = tmp_path / "one"
    (one / "fear").mkdir(parents=True)
    for number in range(4):
        _mask(one / "fear" / f"{number}.png", 16, (0, 255))
    assert command.run(one, "--split", "image") == 2
    assert "only one class is left (fear)" in command.err
    (one / "anger").mkdir()
    _mask(one / "anger" / "0.png", 16, (0, 255))
    assert command.run(one, "--split", "image") == 2
    assert "anger (1)" in command.err


def test_ctrl_c_says_how_to_go_on(
    command: Command, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("agfer_bench.run.jobs.guarded.run_job", interrupt)
    assert command.run(blobs, "--modules", "base", "--fresh") == 130
    words = [
        "agfer-bench",
        "run",
        "--data",
        f"image-folder={blobs}",
        "--out",
        command.folder / "out",
    ]
    goes_on = "the same command goes on from there, with a training under way from its last "
    assert goes_on in command.err
    assert "without --fresh, or all is done again; earlier results then stand" in command.err
    assert shlex.join(map(str, words)) in command.err
    assert "--fresh" not in command.err.rpartition("agfer-bench run")[2], "it would do all again"
    assert command.run(blobs, "--modules", "base") == 130
    assert goes_on in command.err
    assert "--fresh" not in command.err


def test_work_goes_on_where_nobody_can_hear_of_it(
    command: Command, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Say, with a log on a disk that is full."""
    with Path("/dev/full").open("w") as full:
        console = Console(file=full, force_terminal=True)
        monkeypatch.setattr("agfer_bench.cli.console.errors", lambda: console)
        assert command.run(blobs, "--modules", "base", "--json") == 0
        (row,) = json.loads(command.out)["rows"]
        assert row["error"] == ""
        with pytest.raises(OSError, match="No space"):
            console.print("heard")
        monkeypatch.undo()
        with suppress(OSError):
            full.close()


def test_a_cluster_that_ends_the_command_is_told_as_much(
    command: Command, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def preempted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("agfer_bench.run.jobs.guarded.run_job", preempted)
    assert command.run(blobs, "--modules", "base") == 143
    assert "the same command goes on from there" in command.err
    assert signal.getsignal(signal.SIGTERM) == before


def test_weights_and_checkpoints_are_options(
    command: Command, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Any] = []
    real = jobs.run_job

    def run_job(job: Any, *rest: Any) -> Any:
        places.append(job.checkpoint)
        return real(job, *rest)

    monkeypatch.setattr(outcome, "run_job", run_job)
    assert command.run(blobs, "--modules", "base", "--checkpoint-minutes", "0.5") == 0
    assert "weights.json" not in command.out
    assert command.run(
        blobs, "--modules", "base", "--checkpoint-minutes", "0", "--save-weights"
    ) == 0  # fmt: skip
    assert "weights.json lists their files" in command.out
    assert len(list((command.folder / "out" / "jobs").glob("*/weights.safetensors"))) == 2
    assert [place and place.seconds for place in places] == [30, 30, None, None]
    assert command.run(blobs, "--modules", "base", "--checkpoint-minutes", "-1") == 2


def test_report_of_something_else(command: Command, tmp_path: Path) -> None:
    assert command("report", tmp_path / "absent") == 2
    assert "name the folder of a run" in command.err
    (tmp_path / "record.json").write_text('{"schema_version": 1}')
    assert command("report", tmp_path) == 2
    assert "is no valid record: protocol: Field required" in command.err


def test_a_record_that_was_tampered_with(command: Command, blobs: Path, tmp_path: Path) -> None:
    assert command.run(blobs, "--modules", "base") == 0
    (folder,) = (command.folder / "out").glob("quick-*")
    good = json.loads((folder / "record.json").read_text())
    changes: tuple[Callable[[dict[str, Any]], None], ...] = (
        lambda r: r["modules"][0]["folds"][0].update(confusion=[[1, 2], [3]]),
        lambda r: r["modules"][0]["folds"][0].update(confusion=[[1, 2], [3, 4]]),
        lambda r: r["modules"][0]["speed"]["modes"]["eager-fp32"].update(stream=[]),
        lambda r: r["data"].update(classes=[]),
    )
    for change in changes:
        record = json.loads(json.dumps(good))
        change(record)
        path = tmp_path / "bad.json"
        path.write_text(json.dumps(record))
        assert command("report", path) == 2
        assert "is no valid record" in command.err


def test_a_folder_that_looks_like_markup(command: Command, blobs: Path) -> None:
    out = command.folder / "[/x]"
    assert command.run(blobs, "--modules", "base", "--out", out) == 0
    assert "[/x]" in command.out


def test_json_says_that_faces_are_drawn(command: Command, blobs: Path) -> None:
    assert command.run(blobs, "--modules", "base", "--json") == 0
    assert json.loads(command.out)["drawn_faces"] is False
    drawn = command.folder / "drawn"
    shutil.copytree(blobs, drawn)
    (drawn / DRAWN_MARKER).touch()
    assert command.run(drawn, "--modules", "base", "--json") == 0
    assert json.loads(command.out)["drawn_faces"] is True


def test_report_of_a_text_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("text")
    assert command("report", tmp_path) == 2
    assert "is no JSON" in command.err


def test_an_output_that_is_a_file(command: Command, blobs: Path) -> None:
    (command.folder / "out").write_text("in the way")
    assert command.run(blobs, "--modules", "base") == 2
    assert "is a file" in command.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "error: memory ran out; close what else runs"),
        (RecursionError(), "error: too deeply nested"),
        (OSError(28, "No space left on device", "out/a"), "error: out/a: No space left on device"),
        (UnicodeEncodeError("ascii", "ж", 0, 1, "no"), "error: text that cannot be read or writt"),
        (KeyError("\x1b[2J"), "this is a fault of agfer-bench; report it with the lines above"),
    ],
)
def test_whatever_fails_is_no_gate_that_was_not_met(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr("agfer_bench.cli.app.app", fails)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 3
    printed = capsys.readouterr().err
    assert said in printed
    assert "\x1b[2J" not in printed
    own = isinstance(error, KeyError)
    assert ("Traceback" in printed) is own
    assert own or printed.count("\n") == 1


@pytest.mark.parametrize("arguments", [["data", "list"], ["data", "list", "--json"]])
def test_a_full_disk_behind_standard_output_is_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from agfer_bench.cli.app import main; main()", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "error: No space left on device"
    assert "Traceback" not in done.stderr


def test_an_output_of_ascii_takes_every_table(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from agfer_bench.cli.app import main; main()", "data", "list"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
