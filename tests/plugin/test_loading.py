"""Plugins that take their time: left out by name, side by side, and never heard of again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest
import torch

from agfer_bench.errors import UserError
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.time_limit import SECONDS, VARIABLE, load_in_time, seconds_allowed

Make = Callable[[str, str], EntryPoint]

SLEEPS = "import time\ntime.sleep({seconds})\n"
GOOD = """
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

@hookimpl
def attention_modules():
    {first}
    return [AttentionSpec(name="{name}", build=lambda slot: nn.Identity(), source="", summary="")]
"""


def test_those_that_hang_are_named_and_wait_side_by_side(
    plugin: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    hang = [plugin(f"hangs-{n}", SLEEPS.format(seconds=20)) for n in range(4)]
    in_hook = GOOD.format(first="import time; time.sleep(20)", name="late")
    points = [*hang, plugin("in-hook", in_hook), plugin("zz", GOOD.format(first="", name="mine"))]
    began = time.monotonic()
    catalogue = load_catalogue(points)
    assert time.monotonic() - began < len(points) - 1, "a second each, one after another"
    assert list(catalogue.modules) == ["mine"]
    problems = catalogue.problems
    assert [one.distribution for one in problems] == [f"hangs-{n}" for n in range(4)] + ["in-hook"]
    assert all("not done after 1 s" in str(one) and VARIABLE in str(one) for one in problems)


def test_one_that_is_slow_but_in_time_stands_in_its_place(
    plugin: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "4")
    slow = SLEEPS.format(seconds=1) + GOOD.format(first="", name="slow")
    points = [plugin("b", GOOD.format(first="", name="mine")), plugin("a", slow)]
    catalogue = load_catalogue(points)
    assert not catalogue.problems
    assert list(catalogue.modules) == ["slow", "mine"], "in the order of their distributions"


def test_nothing_of_one_that_is_left_out_happens_later() -> None:
    did: list[str] = []

    def load() -> None:
        did.append("began")
        time.sleep(0.6)
        did.append("ended")

    before = set(threading.enumerate())
    (late,) = load_in_time([load], 0.1)
    assert isinstance(late.error, UserError)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert did == ["began"]
    (in_time,) = load_in_time([load], 60.0)
    assert in_time.error is None
    assert did == ["began", "began", "ended"]


def test_a_deed_beside_a_slow_one_is_told_with_doubt() -> None:
    ended = threading.Event()

    def slow() -> None:
        ended.wait(30)

    def deed() -> None:
        torch.set_default_dtype(torch.float64)
        ended.set()

    sure = load_in_time([deed, lambda: None], 8)
    ended.clear()
    doubtful = load_in_time([slow, deed], 8)
    assert sure[0].changes == ["changed torch's default dtype to float64"]
    assert not sure[1].changes
    assert not doubtful[0].changes
    assert "loading beside it" in doubtful[1].changes[0]
    assert torch.get_default_dtype() is torch.float32


def test_what_a_process_does_not_need_is_not_loaded(plugin: Make) -> None:
    source = SLEEPS.format(seconds=3600)
    points = [plugin("hangs", source), plugin("mine", GOOD.format(first="", name="mine"))]
    catalogue = load_catalogue(points, only={"mine"})
    assert list(catalogue.modules) == ["mine"]
    assert not catalogue.problems


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e300"])
def test_a_limit_that_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UserError, match=f"{VARIABLE}={text}"):
        load_catalogue([])


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " 2.5 ")
    assert seconds_allowed() == 2.5
    monkeypatch.delenv(VARIABLE)
    assert seconds_allowed() == SECONDS
