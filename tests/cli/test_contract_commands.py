"""`modules check` and `modules compare`, as a person uses them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import pytest

from agfer_bench.cli import stdout as apart
from agfer_bench.cli.app import main
from agfer_bench.contract.checks import INFORMATIONAL, REQUIRED

HOSTILE = """
import torch
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

print("hello from the import")

class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.forgotten = nn.Parameter(torch.ones(1))
    def forward(self, x):
        print("hello from the gate")
        torch.set_default_dtype(torch.float64)
        if x.sum() < 0:
            return x
        return x * self.scale

def refuse(slot):
    raise SystemExit("no licence for this machine, a sentence that fills more than one line")

@hookimpl
def attention_modules():
    return [
        AttentionSpec(name="chatty", build=lambda slot: Gate(slot.channels), source="", summary="",
                      formula="C + 2"),
        AttentionSpec(name="refuses", build=refuse, source="", summary=""),
    ]
"""


@pytest.fixture
def hostile(
    plugin: Callable[[str, str], EntryPoint], monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    points = [*entry_points(group="agfer_bench"), plugin("hostile", HOSTILE)]
    monkeypatch.setattr("agfer_bench.plugin.finder.entry_points", lambda group: points)
    return monkeypatch


def _run(*arguments: str) -> int:
    before = sys.argv
    sys.argv = ["agfer-bench", "modules", *arguments]
    try:
        main()
    except SystemExit as error:
        return int(error.code or 0)
    finally:
        sys.argv = before
    return 0


def test_check_of_sound_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("check", "base", "--no-compile") == 0
    out = capsys.readouterr().out
    for check in (*REQUIRED, *INFORMATIONAL):
        sign = " " if check.measures else "✓"
        if check.name == "uses_second_inputs":  # base has none
            sign = "–"
        assert (f"{sign} {check.says}" in out) == (check.name != "compiles"), check.name
    assert "keeps the contract: 12 of 12 required checks passed" in out
    assert "× 1.00 (1.00–1.00)" in out


@pytest.mark.usefixtures("hostile")
def test_check_of_hostile_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("check", "chatty", "refuses", "--quick", "--json") == 1
    out, err = capsys.readouterr()
    assert "hello from the gate" in err
    chatty, refuses = json.loads(out)["modules"]
    assert (chatty["name"], chatty["distribution"], chatty["version"]) == (
        "chatty",
        "hostile",
        "1.2.3",
    )
    failed = {one["name"]: one["detail"] for one in chatty["checks"] if one["verdict"] == "failed"}
    assert failed.keys() == {"every_parameter_learns", "no_side_effects", "formula"}
    assert "forgotten" in failed["every_parameter_learns"]
    assert "default dtype" in failed["no_side_effects"]
    assert "gives 18 parameters, the block has 17" in failed["formula"]
    verdicts = {one["name"]: one["verdict"] for one in refuses["checks"]}
    assert verdicts.pop("builds") == "failed"
    assert set(verdicts.values()) == {"skipped"}
    assert not refuses["keeps_contract"]


@pytest.mark.usefixtures("hostile")
def test_check_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agfer_bench.cli.console.output", _narrow)
    assert _run("check", "refuses") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "refuses  hostile 1.2.3"
    first = lines.index(next(line for line in lines if "✗ is built" in line))
    start = lines[first].index("failed: ")
    assert lines[first + 1].startswith(" " * start), "a long detail goes on below its beginning"
    assert "breaks the contract: 0 of 12 required checks passed, 1 failed, 11 skipped" in lines[-2]


def _narrow() -> object:
    from rich.console import Console

    return Console(file=apart.stream(), width=90)


def test_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("compare", "cbam", "cbam:shared_mlp=true", "base") == 0
    out = capsys.readouterr().out
    for number in ("88,217", "44,257", "128 × 112 × 112"):
        assert number in out
    assert "(1 if shared_mlp else 2) * (2 * C" in out
    assert "+Conv2d(8, 128, kernel_size=(1, 1), stride=(1, 1)), same weights again" in out
    assert "base against cbam" in out
    assert "not what is counted" not in out


@pytest.mark.usefixtures("hostile")
def test_compare_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("compare", "base", "se,chatty", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    base, se, chatty = shown["modules"]
    assert se["parameters"] == 43_960
    assert se["slots"][0]["macs"] == 2 * 128 * 8
    assert base["slots"][0]["gates"]["damping"] == 1
    assert chatty["operations"] is None
    assert "cannot be traced" in chatty["untraced"]
    assert "+sigmoid()" in shown["differences"]["se"]
    assert shown["differences"]["chatty"] is None
    assert _run("compare", "base", "chatty") == 0
    out = capsys.readouterr().out
    assert "chatty cannot be traced" in out
    assert "C + 2  (not what is counted)" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare", "cbam"), "needs two modules"),
        (("compare", "cbam", "cbam:reduction=16"), "needs two modules"),
        (("compare", "cbam", "cbm"), "did you mean 'cbam'"),
        (("compare", "se", "se:reduction=0"), "reduction must be at least 1"),
        (("check", "se:reduction=zero"), "must be of type int"),
    ],
)
def test_what_the_user_can_mend(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*arguments) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert not out
