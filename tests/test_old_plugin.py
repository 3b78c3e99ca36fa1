"""A plugin written for 0.1.0 runs unchanged, with each of its hooks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agfer_bench.plugin import hookspecs
from tests.run.support import install
from tests.test_third_party import command

PLUGIN = Path(__file__).with_name("plugin_of_0_1_0.py")
SETTINGS = ["crop=none", "image_size=32", "folds=2", "epochs=1", "batch_size=8", "seeds=1"]


def test_it_has_one_of_each_hook_that_0_1_0_had() -> None:
    hooks = json.loads(Path(__file__).with_name("surface-0.1.0.json").read_text())["hooks"]
    source = PLUGIN.read_text(encoding="utf-8")
    assert {name for name in hooks if f"\ndef {name}(" not in source} == set()
    assert set(hooks) <= set(vars(hookspecs))


@pytest.mark.slow
def test_each_hook_of_it_still_works(blobs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    install(site, "old-plugin", PLUGIN.read_text(encoding="utf-8"))
    done = command(
        str(site),
        *("run", "--modules", "base,old-gate:start=1.0,old-nearest:power=1", "--controls", "none"),
        *("--data", f"old-faces:ending=png={blobs}"),
        *("--track", f"old-log={tmp_path / 'log'}"),
        *("--out", tmp_path / "out", "--cache", tmp_path / "cache", "--json"),
        *(part for setting in SETTINGS for part in ("--set", setting)),
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr
    assert "plugin old-plugin" not in done.stdout + done.stderr, "no complaint about it"
    rows = {row["module"]: row for row in json.loads(done.stdout)["rows"]}
    assert list(rows) == ["base", "old-gate:start=1.0", "old-nearest:power=1"]
    assert all(row["error"] == "" and row["accuracy_mean"] is not None for row in rows.values())
    assert "read by a plugin of 0.1.0" in done.stdout
    *epochs, finished = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert {(one["module"], one["fold"]) for one in epochs} == {
        (module, fold) for module in ("base", "old-gate:start=1.0") for fold in (0, 1)
    }
    assert finished == {"labels": list(rows), "folder": True}
    assert [path.read_text() for path in (tmp_path / "out").rglob("old-plugin.txt")] == [
        "3 modules\n"
    ]
