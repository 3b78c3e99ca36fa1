"""Records of strangers: the good ones are read, each bad one is rejected by name and with a reason.

Nothing that one file holds may hinder the others, take memory without bound, or leave its folder.
"""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agfer_bench.errors import UserError
from agfer_bench.submissions.bounded_json import read_json
from agfer_bench.submissions.limits import Limits, one_line
from agfer_bench.submissions.model import Reading
from agfer_bench.submissions.read import read_folder, read_paths
from tests.leaderboard.generated import make_records, sha

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"
Content = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four records: the first and the last share a ground."""
    folder = tmp_path_factory.mktemp("made")
    make_records(folder, runs=4, modules=3, hostile=False)
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "records"))


def _reasons(reading: Reading) -> dict[str, str]:
    return {one.path: one.reason for one in reading.rejected}


def _accepted(reading: Reading) -> list[str]:
    return [one.path for one in reading.accepted]


GOOD = [f"run-{number:04d}/record.json" for number in range(4)]


def _bad(root: Path, name: str, change: Callable[[Content], None] | str | bytes) -> str:
    """Write a record that is one of the good ones but for a change; return its path."""
    folder = root / name
    folder.mkdir()
    if callable(change):
        content = json.loads((root / GOOD[0]).read_text())
        change(content)
        change = json.dumps(content)
    if isinstance(change, str):
        change = change.encode()
    (folder / "record.json").write_bytes(change)
    return f"{name}/record.json"


def _text(root: Path) -> str:
    return (root / GOOD[0]).read_text()


def test_bad_records_are_rejected_by_name_and_the_others_read(root: Path) -> None:
    """Bar 5 of the leaderboard."""
    old = PUBLISHED / "ablation-split-synthetic-cpu" / "quick-synthetic-601f50be55"
    assert json.loads((old / "record.json").read_text())["schema_version"] == 1
    shutil.copytree(old, root / "version-1")
    text = _text(root)
    outside = root.parent / "outside.json"
    outside.write_text(text)
    expected = {
        _bad(root, "fingerprint", lambda c: c.update(protocol_fingerprint=sha("forged"))): (
            "protocol_fingerprint is not that of the settings"
        ),
        _bad(root, "fold", lambda c: c["modules"][1]["folds"].pop(1)): (
            "agfer:reduction=1: fold 1 is missing"
        ),
        _bad(root, "nan", text.replace('"alpha": 0.125', '"alpha": NaN')): (
            "holds NaN, which is no number"
        ),
        _bad(root, "climbs", lambda c: c["modules"][1].update(label="../../etc/passwd")): (
            "label '../../etc/passwd' climbs out of a folder"
        ),
        _bad(root, "deep", "[" * 100_000 + "]" * 100_000): "is nested deeper than 32 levels",
        _bad(root, "twice", text.replace("{", '{"data": 1, ', 1)): "has the key 'data' twice",
        "huge/record.json": "is larger than 33,554,432 bytes",
        "link/record.json": "is a link; links are not followed",
        "folder": "is a link; links are not followed",
    }
    (root / "link").mkdir()
    (root / "link" / "record.json").symlink_to(outside)
    (root / "folder").symlink_to(root.parent, target_is_directory=True)
    (root / "huge").mkdir()
    with (root / "huge" / "record.json").open("wb") as file:  # a text of 2 GB, of holes alone
        file.write(b'{"schema_version": "')
        file.truncate(2**31)
    tracemalloc.start()
    try:
        reading = read_folder(root)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert _reasons(reading) == expected
    assert _accepted(reading) == [*GOOD, "version-1/record.json"]
    assert reading.accepted[-1].record.schema_version == 9
    assert peak < 64 * 2**20


NUMBER = "9" * 5000
CASES: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "infinity": (lambda t: t.replace("0.125", "-Infinity", 1), "holds -Infinity, which is no"),
    "1e999": (lambda t: t.replace("0.125", "1e999", 1), "holds a number beyond 1e+100"),
    "1e300": (lambda t: t.replace("0.125", "-1e300", 1), "holds a number beyond 1e+100"),
    "2^53": (lambda t: t.replace('"seed": 0', f'"seed": {2**53 + 1}'), "holds a whole number bey"),
    "digits": (lambda t: t.replace('"seed": 0', f'"seed": {NUMBER}'), "holds a number that is too"),
    "long text": (lambda t: t.replace("Linux", "x" * 20_001), "holds a text of more than 20,000"),
    "long key": (lambda t: t.replace('"torch"', f'"{"x" * 20_001}"'), "holds a text of more than"),
    "surrogate": (lambda t: t.replace("Linux", "\\ud800"), "holds a text with half a character"),
    "latin 1": (lambda t: t.replace("Linux", "é").encode("latin-1"), "is no text in UTF-8"),
    "utf 16": (lambda t: t.encode("utf-16"), "is no text in UTF-8"),
    "empty": (lambda t: "", "is no JSON: Expecting value (line 1, column 1)"),
    "half": (lambda t: t[:-100], "is no JSON: "),
    "a list": (lambda t: "[]", "is no valid record: the file: Input should be"),
    "deep within limits of the parser": (lambda t: "[" * 40 + "]" * 40, "is nested deeper than"),
    "deep objects": (lambda t: '{"a":' * 90_000 + "1" + "}" * 90_000, "is nested deeper than"),
    "many values": (lambda t: "[" + "1," * 1_000_001 + "1]", "holds more than 1,000,000 values"),
    "many unknown keys": (
        lambda t: "{" + ",".join(f'"{n}":0' for n in range(100_000)) + "}",
        "is no valid record: protocol: Field required",
    ),
    "many equal keys": (
        lambda t: "{" + ",".join(f'"{n}":0' for n in [*range(100_000), 7]) + "}",
        "has the key '7' twice",
    ),
    "version of tomorrow": (
        lambda t: t.replace('"schema_version": 9', '"schema_version": 10'),
        "is no valid record: schema_version: Input should be 9",
    ),
    "terminal": (
        lambda t: t.replace('"folds": 3', '"\\u001b[2J\\n\\u202e": 1'),
        r"is no valid record: protocol.\x1b[2J\n\u202e: Extra inputs",
    ),
    "a job": (
        lambda t: json.dumps({"schema_version": 1, "address": {}, "fold": {}}),
        "is no valid record: protocol: Field required",
    ),
    "broken speed": (lambda t: '{"kind": "speed"}', "is no valid record: protocol: Field requ"),
    "other size": (
        lambda t: t.replace('"confusion": [[', '"confusion": [[1, 2], [', 1),
        "is no valid record: modules.0.folds.0.confusion: a confusion matrix is square",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_file(name: str, root: Path) -> None:
    change, reason = CASES[name]
    path = _bad(root, "bad", change(_text(root)))
    reading = read_folder(root)
    assert _accepted(reading) == GOOD
    assert list(_reasons(reading)) == [path]
    assert _reasons(reading)[path].startswith(reason)
    assert _reasons(reading)[path].isprintable()
    assert len(_reasons(reading)[path]) <= 300


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("modules", 1, "label"), "a/../b", "label 'a/../b' climbs"),
        (("modules", 1, "name"), "..", "name '..' climbs"),
        (("modules", 1, "distribution"), "..\\x", "distribution '..\\\\x' climbs"),
        (("modules", 1, "version"), "/etc/passwd", "version '/etc/passwd' is a path from the root"),
        (("protocol", "preset"), "C:\\x", "preset 'C:\\\\x' is a path from the root"),
        (("data", "name"), "a\nb", "name of the data set 'a\\nb' holds control characters"),
        (("test", "name"), "a\x1b[2J", "name of the data set 'a\\x1b[2J' holds control"),
        (("modules", 1, "label"), " ", "label ' ' is empty"),
        (("modules", 1, "label"), "x" * 1001, f"label '{'x' * 60}' has more than 1,000 characters"),
    ],
)
def test_names_that_may_become_files(
    place: tuple[Any, ...], value: str, reason: str, root: Path
) -> None:
    def change(content: Any) -> None:
        for step in place[:-1]:
            content = content[step]
        content[place[-1]] = value

    path = _bad(root, "bad", change)
    reading = read_folder(root)
    assert _accepted(reading) == GOOD
    assert _reasons(reading)[path].startswith(reason)


def test_classes_and_age_groups_are_names_too(root: Path) -> None:
    text = _text(root)
    path = _bad(root, "bad", text.replace('"anger"', '"../anger"'))
    group = _bad(root, "bad-group", text.replace('"young"', '"../young"'))
    assert _reasons(read_folder(root)) == {
        path: "class '../anger' climbs out of a folder",
        group: "age group '../young' climbs out of a folder",
    }


def test_free_text_may_hold_anything(tmp_path: Path) -> None:
    """Notes, errors, sources: these are escaped where they are shown."""
    make_records(tmp_path, runs=6, hostile=True)
    reading = read_folder(tmp_path)
    assert reading.rejected == ()
    assert len(reading.accepted) == 6
    notes = "".join(reading.accepted[0].record.data.notes + reading.accepted[0].record.problems)
    texts = [one.record.model_dump_json() for one in reading.accepted]
    assert all("javascript:window.hacked" in text for text in texts)
    assert any("../../../../etc/passwd" in text for text in texts)
    assert notes


def test_names_of_folders_are_strangers_too(root: Path) -> None:
    names = ["new\nline", "\x1b[2J", "back\\slash", "\u202egnp", "x" * 200]
    bytes_alone = os.fsdecode(b"no-text-\xff")
    for name in [*names, bytes_alone]:
        shutil.copytree(root / "run-0000", root / name)
    limits = replace(Limits(), path=150)
    reading = read_folder(root, limits)
    assert _accepted(reading) == GOOD
    no_text = "its path holds control characters, or bytes that are no text"
    slash = "its path holds a backslash, which some systems take for a slash"
    assert _reasons(reading) == {
        r"new\nline/record.json": no_text,
        r"\x1b[2J/record.json": no_text,
        r"\u202egnp/record.json": no_text,
        r"no-text-\udcff/record.json": no_text,
        "back\\slash/record.json": slash,
        f"{'x' * 200}/record.json": "its path has more than 150 characters",
    }
    json.dumps(_reasons(reading)).encode()
    "".join(_reasons(reading)).encode()


@pytest.mark.parametrize("digits", [20, 400])
@pytest.mark.parametrize("where", ["macs", "confusion"])
def test_numbers_written_as_texts_have_the_same_bounds(where: str, digits: int, root: Path) -> None:
    def change(content: Content) -> None:
        module = content["modules"][1]
        if where == "macs":
            module["size"]["macs"] = "9" * digits
        else:
            module["folds"][0]["train_confusion"][0][0] = "9" * digits

    path = _bad(root, "bad", change)
    reading = read_folder(root)
    assert _accepted(reading) == GOOD
    assert _reasons(reading)[path] == f"holds a whole number beyond {2**53:,}"


@pytest.mark.parametrize("folds", [1_000, 2**50])
def test_more_folds_than_there_are(root: Path, folds: int) -> None:
    def change(content: Content) -> None:
        content["protocol"]["folds"] = folds
        del content["protocol_fingerprint"]
        for module in content["modules"]:
            module["error"] = "it: raised"

    _bad(root, "failed", change)

    def whole(content: Content) -> None:
        change(content)
        content["modules"][0]["error"] = None

    path = _bad(root, "bad", whole)
    reading = read_folder(root)
    if folds > 1_000:
        assert _accepted(reading) == GOOD
        assert "less than or equal to 1000" in _reasons(reading)[path]
        return
    assert _accepted(reading) == ["failed/record.json", *GOOD]
    assert "base: fold 3 is missing" in _reasons(reading)[path]


def test_what_is_passed_over(root: Path) -> None:
    for name in ("jobs/abc", ".hidden", "run-0000/jobs/x"):
        (root / name).mkdir(parents=True)
        (root / name / "record.json").write_text("junk")
    (root / "ablation.json").write_text("junk")
    (root / "latest").symlink_to(root / "nowhere")
    shutil.copytree(PUBLISHED / "speed-paper-cpu", root / "speed")
    reading = read_folder(root)
    assert (_accepted(reading), reading.rejected) == (GOOD, ())
    assert reading.speeds == ("speed/record.json",)


def test_what_is_no_file(root: Path) -> None:
    (root / "folder" / "record.json").mkdir(parents=True)
    (root / "pipe").mkdir()
    os.mkfifo(root / "pipe" / "record.json")
    (root / "loop").mkdir()
    (root / "loop" / "record.json").symlink_to("record.json")
    reading = read_folder(root)
    assert _accepted(reading) == GOOD
    assert _reasons(reading) == {
        "folder/record.json": "is no plain file",
        "loop/record.json": "is a link; links are not followed",
        "pipe/record.json": "is no plain file",
    }


def test_bounds_on_all_together(root: Path) -> None:
    size = (root / GOOD[0]).stat().st_size
    few = read_folder(root, replace(Limits(), records=2))
    assert _accepted(few) == GOOD[:2]
    assert _reasons(few) == {".": "more than 2 records; no more read"}
    small = read_folder(root, replace(Limits(), all_bytes=size + 1))
    assert _accepted(small) == GOOD[:1]
    assert "all records together are larger than" in _reasons(small)[GOOD[1]]
    assert _reasons(read_folder(root, replace(Limits(), folders=2))) == {
        ".": "more than 2 folders; no more read"
    }
    deep = root.joinpath(*"abc")
    deep.mkdir(parents=True)
    assert _reasons(read_folder(root, replace(Limits(), levels=2))) == {
        "a/b/c": "lies deeper than 2 folders"
    }


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "takes more memory than there is"),
        (RecursionError("too\ndeep"), "cannot be read: RecursionError: too deep"),
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
        (ZeroDivisionError("\x1b[2J"), r"cannot be read: ZeroDivisionError: \x1b[2J"),
    ],
)
def test_whatever_is_raised_rejects_one_record(
    error: Exception, reason: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(file: Path, limits: Limits) -> Any:
        if file.parent.name == "run-0001":
            raise error
        return read_json(file, limits)

    monkeypatch.setattr("agfer_bench.submissions.read.read_json", read)
    reading = read_folder(root)
    assert _reasons(reading) == {GOOD[1]: reason}
    assert _accepted(reading) == [GOOD[0], *GOOD[2:]]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        read_folder(tmp_path / "none")
    with pytest.raises(UserError, match="does not exist"):
        read_paths([tmp_path / "none"])


def test_one_line() -> None:
    assert one_line("a\tb\u2028c\ud800") == r"a\tb\u2028c\ud800"
    assert one_line("x" * 400) == "x" * 299 + "…"
    assert one_line("אב <b>") == "אב <b>"


class TestRivals:
    """Records that claim the same images and tell them differently."""

    def test_other_folds(self, root: Path) -> None:
        def change(content: Content) -> None:
            for module in content["modules"]:
                module["folds"][1]["split_sha256"] = sha("other")
            content["finished"] = "2024-01-01T00:00:00+00:00"  # older, but alone

        path = _bad(root, "bad", change)
        reading = read_folder(root)
        assert _accepted(reading) == GOOD
        assert _reasons(reading)[path].startswith("claims the images sha256:")
        assert "… of run-0000/record.json but other folds: forged" in _reasons(reading)[path]

    def test_in_a_tie_the_earliest_stands(self, root: Path) -> None:
        shutil.rmtree(root / "run-0003")

        def change(content: Content) -> None:
            content["data"]["drawn"] = False
            content["finished"] = "2025-06-01T02:00:00+00:00"  # the other: at 0 o'clock

        path = _bad(root, "aaa", change)
        reading = read_folder(root)
        assert _accepted(reading) == GOOD[:3]
        assert "but other numbers of them" in _reasons(reading)[path]

        def earlier(content: Content) -> None:
            change(content)
            content["finished"] = "2025-05-01T00:00:00+00:00"

        shutil.rmtree(root / "aaa")
        _bad(root, "aaa", earlier)
        assert list(_reasons(read_folder(root))) == [GOOD[0]]

    def test_a_record_has_one_vote(self, root: Path) -> None:
        """Whatever it says many times, two others say otherwise."""

        def change(content: Content) -> None:
            for module in content["modules"]:
                for fold in module["folds"]:
                    fold["split_sha256"] = sha("other", fold["fold"])
            content["finished"] = "2024-01-01T00:00:00+00:00"

        path = _bad(root, "bad", change)
        reading = read_folder(root)
        assert _accepted(reading) == GOOD
        assert list(_reasons(reading)) == [path]

    def test_the_same_weights_have_the_same_results(self, root: Path) -> None:
        def change(content: Content) -> None:
            fold = content["modules"][1]["folds"][0]
            fold["train_confusion"][0], fold["train_confusion"][1] = (
                [sum(fold["train_confusion"][0]), *[0] * (len(fold["train_confusion"]) - 1)],
                fold["train_confusion"][1],
            )
            content["finished"] = "2026-01-01T00:00:00+00:00"

        path = _bad(root, "bad", change)
        reading = read_folder(root)
        assert _accepted(reading) == GOOD
        assert _reasons(reading)[path].startswith("claims the weights ")
        assert "but other results of them" in _reasons(reading)[path]

    def test_other_libraries_crop_other_images(self, root: Path) -> None:
        """Other pixels are another ground, and no contradiction."""

        def change(content: Content) -> None:
            content["data"]["pixels_sha256"] = f"sha256:{sha('other')}"
            for module in content["modules"]:
                for fold in module["folds"]:
                    fold["split_sha256"] = sha("other", fold["fold"])

        path = _bad(root, "other", change)
        assert _accepted(read_folder(root)) == [path, *GOOD]

    def test_other_protocols_have_other_folds(self, root: Path) -> None:
        """Folds follow from the protocol: another one may divide the same images otherwise."""
        reading = read_folder(root)
        one = reading.accepted[0].record
        protocol = one.protocol.model_copy(update={"seed": 5})
        content = json.loads(one.model_dump_json())
        content |= {"protocol": protocol.model_dump(mode="json")}
        content["protocol_fingerprint"] = protocol.fingerprint
        for module in content["modules"]:
            for fold in module["folds"]:
                fold["split_sha256"] = sha("seed 5", fold["fold"])
        _bad(root, "seed", json.dumps(content))
        assert _reasons(read_folder(root)) == {}

    def test_other_images_of_the_second_set(self, root: Path) -> None:
        def change(content: Content) -> None:
            content["test"]["drawn"] = False

        path = _bad(root, "bad", change)
        assert list(_reasons(read_folder(root))) == [path]


def test_pictures_of_a_closed_set_are_refused(root: Path) -> None:
    """A set whose terms forbid it: no picture may lie beside a record of it."""
    path = root / GOOD[0]
    (path.parent / "face.JPG").write_bytes(b"x")
    assert _accepted(read_folder(root)) == GOOD, "older records do not tell the terms"
    content = json.loads(path.read_text())
    for allowed, accepted in ((True, GOOD), (False, GOOD[1:])):
        content["data"]["pictures_may_be_published"] = allowed
        path.write_text(json.dumps(content))
        assert _accepted(read_folder(root)) == accepted
    reason = _reasons(read_folder(root))[GOOD[0]]
    assert reason.startswith("a picture lies beside it (face.JPG), and the terms of ")
    (path.parent / "face.JPG").unlink()
    assert _accepted(read_folder(root)) == GOOD
