"""A whole run on a tiny data set: pairing, reuse, equality, and plugins that fail."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from agfer_bench.errors import UserError
from agfer_bench.faces.mask import default_mask
from agfer_bench.plugin.code import Code, code_of
from agfer_bench.records.files import load_run
from agfer_bench.report.notes import notes
from agfer_bench.report.rows import rows_of
from agfer_bench.report.table import to_markdown
from tests.run.support import HEAD, Runs, own, without_times

Make = Callable[[str, str], EntryPoint]

FAULTS = {
    "any exception in build": (
        "raise type('Odd', (BaseException,), {})('hello')",
        "return x",
        "build failed at stage 2",
    ),
    "any exception in forward": (
        "return Block()",
        "raise type('Odd', (BaseException,), {})('hello')",
        "forward failed: Odd: hello",
    ),
    "any exception in training": (
        "return Block()",
        "raise_ = type('Odd', (BaseException,), {}); x = x * self.scale\n        "
        "if self.training and torch.is_grad_enabled(): raise raise_('hello')\n        return x",
        "Odd: hello",
    ),
    "keeps its weights": (
        "return KEPT.setdefault(slot.stage, Block())",
        "return x",
        "build returned weights that it had returned before",
    ),
    "raises in build": ("raise OSError('no weights')", "return x", "OSError: no weights"),
    "exits in build": ("raise SystemExit(1)", "return x", "build failed"),
    "no module": ("return 3", "return x", "returned int"),
    "raises in forward": ("return Block()", "raise KeyError('x')", "forward failed: KeyError"),
    "changes the shape": ("return Block()", "return x[:, :, 1:]", "changed the shape"),
    "returns NaN": ("return Block()", "return x * float('nan')", "not finite"),
    "changes the type": ("return Block()", "return x.double()", "changed the type"),
    "changes its input": ("return Block()", "return x.mul_(2)", "changed its input"),
    "no tensor": ("return Block()", "return (x,)", "returned tuple"),
    "NaN in training": (
        "return Block()",
        "return x * self.scale * (float('nan') if self.training else 1)",
        "the loss became nan in epoch 1",
    ),
    "raises in training": (
        "return Block()",
        "return x / (0 if self.training and 1 / 0 else 1)",
        "ZeroDivisionError",
    ),
}


def test_a_run_leaves_record_predictions_and_tables(runs: Runs) -> None:
    record, folder = runs("base,agfer,se,cbam", epochs=3)
    assert load_run(folder) == record
    assert [module.label for module in record.modules] == ["base", "agfer", "se", "cbam"]
    assert all(module.error is None and module.size and module.speed for module in record.modules)
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert len(predictions) == 4 * 36, "each module judges each image once"
    for module in record.modules:
        for fold in module.folds:
            mine = predictions.query(f"module == '{module.label}' and fold == {fold.fold}")
            assert fold.validation_images == len(mine) == sum(map(sum, fold.confusion))
            right = (mine["true"] == mine["predicted"]).sum()
            assert right == sum(fold.confusion[i][i] for i in range(3))
            assert sum(map(sum, fold.train_confusion)) == fold.train_images
    table = pd.read_csv(folder / "table.csv")
    assert table["module"].tolist() == ["base", "agfer", "se", "cbam"]
    assert table["latency_ratio_to_base"][0] == pytest.approx(1.0)
    assert "sample standard deviation" in (folder / "table.md").read_text()
    assert not (folder / "errors.log").exists()


def test_two_runs_are_equal_but_for_times(runs: Runs) -> None:
    first, _ = runs("base,agfer,cbam", out="a")
    second, _ = runs("base,agfer,cbam", out="b")
    assert without_times(first) == without_times(second)
    third, _ = runs("base,agfer,cbam", out="c", seed=1)
    assert without_times(first) != without_times(third)


def test_modules_of_a_fold_are_paired(runs: Runs) -> None:
    record, _ = runs("base,agfer,se,cbam")
    for number in range(2):
        folds = [module.folds[number] for module in record.modules]
        for what in ("host_weights_sha256", "batch_order_sha256", "split_sha256"):
            assert len({getattr(fold, what) for fold in folds}) == 1, what
        assert len({fold.history[0].loss for fold in folds}) == 4, "the networks do differ"
    first, second = record.modules[0].folds
    assert first.host_weights_sha256 != second.host_weights_sha256


def test_what_is_done_is_not_done_again(runs: Runs, count_jobs: list[str]) -> None:
    first, folder = runs("base,se")
    assert count_jobs == ["base", "se"] * 2
    again, same = runs("base,se")
    assert len(count_jobs) == 4
    assert same == folder
    assert again.modules[0].folds == first.modules[0].folds, "times of training too"
    wider, other = runs("base,se,agfer")
    assert count_jobs[4:] == ["agfer"] * 2
    assert other != folder
    assert wider.modules[0].folds == first.modules[0].folds
    runs("base", fresh=True)
    assert count_jobs[6:] == ["base"] * 2
    runs("base", epochs=1)
    runs("base,se:reduction=4")
    assert count_jobs[8:] == ["base"] * 2 + ["se:reduction=4"] * 2


def test_a_damaged_job_is_done_again(runs: Runs, count_jobs: list[str]) -> None:
    _, folder = runs("base")
    for job in (folder.parent / "jobs").iterdir():
        path = job / "record.json"
        path.write_text(path.read_text()[:100])
    runs("base")
    assert count_jobs == ["base"] * 4


def test_another_version_of_a_plugin_is_another_job(
    runs: Runs, plugin: Make, count_jobs: list[str]
) -> None:
    point = plugin("mine", HEAD.format(forward="return x", build="return Block()", name="mine"))
    runs("mine", catalogue=own(point))
    runs("mine", catalogue=own(point))
    assert len(count_jobs) == 2
    other = HEAD.format(forward="return 2 * x", build="return Block()", name="mine")
    runs("mine", catalogue=own(plugin("mine", other)))
    assert len(count_jobs) == 4


@pytest.mark.parametrize("fault", FAULTS)
def test_a_module_that_fails_is_a_row_that_says_why(runs: Runs, plugin: Make, fault: str) -> None:
    build, forward, message = FAULTS[fault]
    point = plugin("bad-block", HEAD.format(forward=forward, build=build, name="bad"))
    record, folder = runs("base,bad,se", catalogue=own(point), epochs=1)
    base, bad, se = record.modules
    assert base.error is None
    assert se.error is None
    assert len(se.folds) == 2
    assert bad.error is not None
    assert "bad-block" in bad.error
    assert message in bad.error
    assert "\n" not in bad.error
    assert f"bad failed: {bad.error}" in "\n".join(notes(record))
    assert rows_of(record)[1]["accuracy_mean"] is None
    assert "Traceback" in (folder / "errors.log").read_text()
    assert load_run(folder) == record


def test_a_block_that_needs_contiguous_maps_gets_them(runs: Runs, plugin: Make) -> None:
    forward = "return (x.view(x.shape[0], -1) * self.scale).view(x.shape)"
    point = plugin("views", HEAD.format(forward=forward, build="return Block()", name="views"))
    record, folder = runs("base,views,se", catalogue=own(point))
    formats = [module.memory_format for module in record.modules]
    assert formats == ["channels_last", "contiguous", "channels_last"]
    assert [module.error for module in record.modules] == [None] * 3
    (note,) = (line for line in notes(record) if "views runs on contiguous maps" in line)
    assert "at stage 2 (16 × " in note
    assert "x.view(x.shape[0], -1)" in note, "the operation that asked for it"
    assert "plugin_views.py:" in note
    assert "write reshape(...) in place of view(...)" in note
    assert (load_run(folder).modules[1].memory_format_reason or "none") in note


def test_a_failure_in_the_timing_keeps_the_accuracies(runs: Runs, plugin: Make) -> None:
    # Inference mode is on while timing alone and while predicting; a batch of one is the timing's.
    forward = "return x if len(x) > 1 or not torch.is_inference_mode_enabled() else 1 / 0"
    point = plugin("tired", HEAD.format(forward=forward, build="return Block()", name="tired"))
    record, _ = runs("base,tired,se", catalogue=own(point), epochs=1)
    row = rows_of(record)[1]
    assert "timing" in row["error"]
    assert row["accuracy_mean"] is not None
    assert row["hz"] is None
    assert record.modules[2].error is None


def test_a_block_may_draw_from_any_generator(runs: Runs, plugin: Make) -> None:
    build = (
        "import random, numpy\n    block = Block()\n"
        "    block.scale.data += random.random() + numpy.random.rand()\n    return block"
    )
    point = plugin("dice", HEAD.format(forward="return x * self.scale", build=build, name="dice"))
    first, _ = runs("base,dice", catalogue=own(point), out="a")
    second, _ = runs("base,dice", catalogue=own(point), out="b")
    assert without_times(first) == without_times(second)


def test_another_mask_is_another_job(
    runs: Runs, count_jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs("base")
    real = default_mask
    monkeypatch.setattr("tests.run.support.default_mask", lambda size: ~real(size))
    runs("base")
    assert count_jobs == ["base"] * 4


def test_a_helper_beside_a_block_is_part_of_it(
    runs: Runs, plugin: Make, count_jobs: list[str]
) -> None:
    source = "from plugin_helper import GAIN\n" + HEAD.format(
        forward="return x * GAIN", build="return Block()", name="mine"
    )
    for gain in (1, 1, 2):
        plugin("helper", f"GAIN = {gain}")
        runs("mine", catalogue=own(plugin("mine", source)))
    assert count_jobs == ["mine"] * 4


def test_an_option_out_of_range_ends_the_run_before_any_work(
    runs: Runs, count_jobs: list[str]
) -> None:
    with pytest.raises(UserError, match="se:reduction must be at least 1"):
        runs("base,se:reduction=0")
    assert count_jobs == []
    assert not (runs.folder / "cache").exists()


def test_an_emotion_that_is_lost_is_named(runs: Runs, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "more"
    shutil.copytree(runs.blobs, folder)
    (folder / "fear.png").write_bytes(b"")
    with (folder / "metadata.csv").open("a") as file:
        file.write("fear.png,fear,s1\n")
    runs.blobs = folder
    record, _ = runs("base", epochs=1)
    assert any("No image of fear is left" in line for line in notes(record))


def test_an_edited_weight_file_is_another_job(
    runs: Runs, plugin: Make, count_jobs: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "scale.pt"
    build = f"block = Block(); block.load_state_dict(torch.load({str(file)!r})); return block"
    source = HEAD.format(forward="return x * self.scale", build=build, name="mine")

    def jobs(scale: float) -> list[str]:
        torch.save({"scale": torch.tensor(scale)}, file)
        before = len(count_jobs)
        runs("base,mine", catalogue=own(plugin("mine", source)))
        return count_jobs[before:]

    assert jobs(1.0) == ["base", "mine"] * 2
    assert jobs(1.0) == []
    assert jobs(1.5) == ["mine"] * 2
    assert jobs(1.0) == [], "what was trained from these is still there"


def test_code_that_cannot_be_looked_at_costs_its_own_row(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(build: Callable[..., Any], parts: Any = ()) -> Code:
        if build is own().modules["se"].spec.build:
            raise KeyError("odd")
        return code_of(build, parts)

    monkeypatch.setattr("agfer_bench.run.identity.code_of", look)
    record, _ = runs("base,se,cbam", epochs=1)
    assert [module.error for module in record.modules] == [
        None,
        "agfer-bench: se: its code cannot be looked at: KeyError: 'odd'",
        None,
    ]


def test_a_failed_module_is_tried_again(runs: Runs, plugin: Make) -> None:
    source = HEAD.format(forward="return x", build="raise OSError('busy')", name="bad")
    record, _ = runs("base,bad", catalogue=own(plugin("bad-block", source)))
    assert record.modules[1].error is not None
    good = plugin("bad-block", source.replace("raise OSError('busy')", "return Block()"))
    record, folder = runs("base,bad", catalogue=own(good))
    assert record.modules[1].error is None
    assert not (folder / "errors.log").exists()


def test_without_guidance_nothing_is_masked(runs: Runs) -> None:
    record, _ = runs("base", guidance=False)
    fold = record.modules[0].folds[0]
    assert fold.masked_confusion is None
    assert record.modules[0].size is not None
    assert record.modules[0].size.layers == 40


def test_image_folder_without_subjects_names_the_way_out(runs: Runs, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    for path in runs.blobs.rglob("*.png"):
        (bare / path.parent.name).mkdir(parents=True, exist_ok=True)
        (bare / path.parent.name / path.name).write_bytes(path.read_bytes())
    runs.blobs = bare
    with pytest.raises(UserError, match="--split image"):
        runs("base")
    record, _ = runs("base", split="image")
    assert record.data.subjects is None


def test_an_impossible_batch_is_known_before_training(runs: Runs, count_jobs: list[str]) -> None:
    with pytest.raises(UserError, match="lower --batch-size"):
        runs("base", batch_size=64, drop_last=True)
    assert count_jobs == []


def test_a_full_disk_leaves_no_half_job(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs("base", out="first")  # so that the crops are cached

    def full(self: Any, path: Path, **_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(UserError, match="free space"):
        runs("base", out="out")
    assert list((runs.folder / "out" / "jobs").iterdir()) == []


def test_the_table_marks_what_a_reader_must_know(runs: Runs) -> None:
    record, _ = runs("base", epochs=1)
    drawn = record.model_copy(update={"data": record.data.model_copy(update={"drawn": True})})
    text = to_markdown(drawn)
    assert "drawn faces" in text.splitlines()[0]
    assert "synthetic" in text
    assert "synthetic" not in to_markdown(record)
    one_sided = (
        record.modules[0]
        .folds[0]
        .model_copy(update={"confusion": ((6, 0, 0), (6, 0, 0), (6, 0, 0))})
    )
    module = record.modules[0].model_copy(update={"folds": (one_sided,)})
    warned = record.model_copy(update={"modules": (module,)})
    assert "base predicts a single class in fold 1." in notes(warned)
