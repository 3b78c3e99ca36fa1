"""Claims from files: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from agfer_bench.claims.read import find_claim, load_claim, names, shipped
from agfer_bench.errors import UserError

GOOD = """
title = "A against B"
source = "Somebody (2024)"
place = "Table 1"
says = "A is better."
data = "faces"
remarks = []
metric = "accuracy, per cent"
rows = [
  { name = "A", mean = 90, plus_minus = 1 },
  { name = "B", mean = 88.5, plus_minus = 1.2 },
]

[design]
plus_minus_is = "sd"
n = 5
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    name, claim = find_claim(str(_file(tmp_path, GOOD)))
    assert name == "mine"
    assert [row.mean for row in claim.rows] == [90, 88.5]


@pytest.mark.parametrize(
    ("was", "now", "error"),
    [
        (GOOD, "", "is empty"),
        (GOOD, "# nothing\n", "is empty"),
        ("n = 5", "n = ", "is not valid TOML"),
        ("n = 5", "n = 5\nn = 6", "is not valid TOML: Cannot overwrite a value"),
        ('name = "B"', 'name = "A"', "row 'A' is given twice"),
        ("mean = 90", "mean = 90.0, mean = 91.0", "is not valid TOML"),
        ("mean = 90", "mean = 100.1", "rows.mean = 100.1 in row 'A': input should be less than"),
        ("mean = 90", "mean = -1", "rows.mean = -1 in row 'A': input should be greater than"),
        ("mean = 90", "mean = nan", "rows.mean = nan in row 'A'"),
        ("mean = 90", 'mean = "90"', "rows.mean = '90' in row 'A'"),
        ("mean = 90, ", "", "rows.mean is missing in row 'A'"),
        ("plus_minus = 1 ", "plus_minus = -1 ", "rows.plus_minus = -1 in row 'A'"),
        ("plus_minus = 1 ", "plus_minuss = 1 ", "unknown key 'plus_minuss' in row 'A'; did you"),
        ('  { name = "A"', '  7, { name = "A"', "rows = 7 in row 1: give a table, as in {"),
        ("n = 5", "n = 0", "design.n = 0"),
        ("n = 5", "n = 5.5", "design.n = 5.5"),
        ("n = 5", "n = true", "design.n = True"),
        ("n = 5", "folds = 5", "unknown key 'folds'"),
        ('"sd"', '"SD"', "design.plus_minus_is = 'SD': input should be 'sd'"),
        ('"sd"', '"none"', "'A' has a ±, but plus_minus_is = \"none\""),
        ("title =", "titles =", "title is missing"),
        ("title =", "titles =", "unknown key 'titles'; did you mean 'title'?"),
        ("data =", 'against = "C"\ndata =', "against = 'C' is no row; known: A, B"),
        ("data =", "across_groups = true\ndata =", "every row needs a group"),
        ('name = "B"', 'group = "x", name = "B"', "no two rows have a group in common"),
        ('title = "A against B"', 'title = "A\\nB"', "title = 'A\\nB': give one line of text"),
        ('says = "A is better."', 'says = ""', "says = '': give a text"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, was: str, now: str, error: str) -> None:
    path = _file(tmp_path, GOOD.replace(was, now, 1))
    with pytest.raises(UserError) as found:
        load_claim(path)
    assert error in str(found.value)
    assert str(path) in str(found.value)
    assert "\n" not in str(found.value)


def test_shares_are_taken_for_a_mistake(tmp_path: Path) -> None:
    text = GOOD.replace("mean = 90", "mean = 0.9").replace("mean = 88.5", "mean = 0.885")
    with pytest.raises(UserError, match="give per cent"):
        load_claim(_file(tmp_path, text))


def test_one_row_is_nothing_to_compare(tmp_path: Path) -> None:
    text = GOOD.replace('  { name = "B", mean = 88.5, plus_minus = 1.2 },\n', "")
    with pytest.raises(UserError, match="the number of rows is 1: give 2 to 200"):
        load_claim(_file(tmp_path, text))


def test_more_pairs_than_anybody_reads(tmp_path: Path) -> None:
    rows = "".join(f'  {{ name = "r{n}", mean = {50 + n / 10} }},\n' for n in range(60))
    text = GOOD.replace("rows = [\n", f"rows = [\n{rows}")
    with pytest.raises(UserError, match=r"1,891 pairs are too many .* `against`"):
        load_claim(_file(tmp_path, text))
    claim = load_claim(_file(tmp_path, text.replace("remarks =", 'against = "A"\nremarks =')))
    assert len(claim.pairs) == 61


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        find_claim(str(tmp_path / "none.toml"))
    with pytest.raises(UserError, match=r"neither a file nor a shipped claim.* 'agfer-table-2'"):
        find_claim("agfer-table2")
    with pytest.raises(UserError, match="Is a directory"):
        find_claim(str(tmp_path))
    binary = tmp_path / "picture.toml"
    binary.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(UserError, match="is not valid TOML"):
        load_claim(binary)
    large = _file(tmp_path, "#" * 1_000_001)
    with pytest.raises(UserError, match="larger than 1,000,000 bytes"):
        load_claim(large)


def test_shipped_claims_go_by_their_names() -> None:
    assert names() == ("agfer-figure-7", "agfer-table-2", "agfer-table-3", "agfer-table-4")
    assert find_claim("agfer-table-4") == ("agfer-table-4", shipped("agfer-table-4"))
