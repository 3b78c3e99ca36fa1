"""The contract as plugins' tests import it, in a project of a stranger."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agfer_bench.contract.checks import REQUIRED
from agfer_bench.errors import UserError
from agfer_bench.testing import parametrize_with_checks
from tests.contract.broken import ChangesShape, Good, spec
from tests.run.support import install

BLOCK = """
import torch
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

class Gate(nn.Module):
    def __init__(self, channels, forget):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(1, channels, 1, 1))
        if forget:
            self.forgotten = nn.Parameter(torch.ones(1))
    def forward(self, x):
        return x * torch.sigmoid(self.scale)

def build(slot, *, forget: bool = False):
    return Gate(slot.channels, forget)

@hookimpl
def attention_modules():
    return [AttentionSpec(name="my-gate", build=build, source="arXiv:1", summary="A gate",
                          formula="C")]
"""

TEST = """
from agfer_bench.testing import parametrize_with_checks

@parametrize_with_checks({names})
def test_contract(block, check):
    check(block)
"""


@pytest.mark.slow
def test_a_strangers_project(tmp_path: Path) -> None:
    install(tmp_path, "my-gate", BLOCK)
    (tmp_path / "test_it.py").write_text(TEST.format(names='"my-gate", "my-gate:forget=true"'))
    (tmp_path / "test_typo.py").write_text(TEST.format(names='"my-gaet"'))
    options = ("-q", "-rA", "-p", "no:cacheprovider", "--continue-on-collection-errors")
    some = ("-k", "learns or keeps_shape or formula")
    environment = {"PYTHONPATH": str(tmp_path), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *some, "test_it.py", "test_typo.py"],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    for check in ("every_parameter_learns", "keeps_shape", "formula"):
        assert f"PASSED test_it.py::test_contract[my-gate-{check}]" in done.stdout
    failed = "test_it.py::test_contract[my-gate:forget=true-every_parameter_learns]"
    assert f"FAILED {failed} - AssertionError: my-gate:forget=true: stage 2 " in done.stdout
    assert "no gradient in 8 draws at forgotten" in done.stdout
    assert "2 failed" in done.stdout, "a parameter that is forgotten is not in the formula either"
    assert "unknown module 'my-gaet'; did you mean 'my-gate'" in done.stdout
    for ours in ("checks.py", "learning.py", "find.py", "Traceback"):
        assert ours not in done.stdout, "no traceback of ours"


def _marks(*what: Any) -> Any:
    def test(block: Any, check: Any) -> None:
        check(block)

    (mark,) = parametrize_with_checks(*what)(test).pytestmark
    return mark


def test_names_of_installed_blocks() -> None:
    mark = _marks("se", "se:reduction=8")
    names = [check.name for check in REQUIRED]
    assert mark.kwargs["ids"] == [
        *(f"se-{name}" for name in names),
        *(f"se:reduction=8-{name}" for name in names),
    ]


def test_specs_need_not_be_installed() -> None:
    mark = _marks(spec(Good, "C", name="good"), spec(ChangesShape, name="shape"))
    assert len(mark.args[1]) == 2 * len(REQUIRED)
    assert mark.kwargs["ids"][0] == "good-builds"
    checks = {check.name: (block, check) for block, check in mark.args[1][len(REQUIRED) :]}
    block, check = checks["keeps_shape"]
    with pytest.raises(AssertionError, match=r"^shape: stage 2 .* changed the shape"):
        check(block)
    block, check = checks["formula"]
    with pytest.raises(BaseException, match="no formula is declared") as caught:
        check(block)
    assert not isinstance(caught.value, AssertionError)


def test_without_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(UserError, match="needs pytest"):
        parametrize_with_checks("se")
