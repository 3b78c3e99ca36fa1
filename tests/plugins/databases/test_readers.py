"""All readers as a plugin offers them: listed, cheap to import, checked by the harness."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agfer_bench import Place
from agfer_bench.faces.table import read_table
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import parse_choice

READERS = {
    "ck-plus",
    "faces",
    "fer2013",
    "image-folder",
    "jaffe",
    "kdef",
    "oulu-casia",
    "raf-db",
}


def test_all_readers_are_on_offer() -> None:
    catalogue = load_catalogue()
    assert set(catalogue.datasets) >= READERS
    for name in READERS:
        spec = catalogue.datasets[name].spec
        assert spec.needs_folder
        assert not spec.drawn
        assert spec.source.startswith("https://")


def test_the_plugin_imports_only_the_standard_library() -> None:
    code = (
        "import sys, agfer_bench_databases\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    path = [entry for entry in sys.path if entry]
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"torch", "numpy", "pandas", "cv2", "pydantic", "sklearn"}
    assert "agfer_bench_databases" in told.stdout
    assert heavy.isdisjoint(told.stdout.split())


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("oulu-casia:neutral_frames=0", "OriginalImg/VL/Strong/P001/Anger/000.jpeg"),
        ("faces", "004_o_m_a_a.jpg"),
        ("jaffe", "KA.AN1.39.tiff"),
        ("kdef:angle=all", "AF01/AF01ANFL.JPG"),
    ],
)
def test_the_harness_accepts_the_tables(
    grow: Callable[..., Path], place: Callable[[Path | None], Place], text: str, file: str
) -> None:
    chosen = load_catalogue().choose_dataset(parse_choice(text))
    table = read_table(chosen, place(grow(file)))
    assert [image.emotion for image in table.images] == ["anger"]
