"""The README: its table is a published record's, its example block works, its commands exist."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

from agfer_bench.network.trial import try_block
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import Slot
from agfer_bench.records.files import load_run
from agfer_bench.report.table import to_markdown, to_svg

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_the_published_records() -> None:
    match = re.search(r"<!-- table: (\S+) -->\n(.*?)\n<!-- /table -->", README, re.DOTALL)
    assert match is not None
    record = load_run(ROOT / match[1])
    heading, body = to_markdown(record).split("\n", 1)
    assert match[2] == f"**{heading.removeprefix('# ')}**\n{body.rstrip()}"
    assert record.environment.device_name in heading


def test_the_picture_is_the_published_records() -> None:
    match = re.search(r"<!-- table: (\S+) -->", README)
    assert match is not None
    picture = (ROOT / "docs" / "images" / "quick.svg").read_text(encoding="utf-8")

    def shown(svg: str) -> str:
        return " ".join(re.findall(r">([^<>\n]+)</text>", svg))

    assert shown(picture) == shown(to_svg(load_run(ROOT / match[1])))
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "").replace(
        "https://www.textualize.io", ""
    )


def test_the_example_block_works(plugin: Callable[[str, str], EntryPoint]) -> None:
    source = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert source is not None
    catalogue = load_catalogue([plugin("my-block", source[1])])
    assert not catalogue.problems
    (chosen,) = catalogue.choose_modules("mine:kernel=5")
    layout = try_block(chosen, [Slot(channels=8, height=6, width=6, classes=7, stage=2)])
    assert layout.memory_format == "channels_last"


def test_both_commands_stand_alone() -> None:
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert lines[0].endswith("agfer-bench run")
    assert lines[1].endswith("pytest -n 2 --dist loadfile")
