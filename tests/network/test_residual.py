"""`residual=true`: an option of every attention block that the harness sees to."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest
import torch

from agfer_bench.measure.size import compute_nodes
from agfer_bench.network.build import build_block
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import Slot
from agfer_bench.seeds import seeded
from tests.run.support import own

SLOT = Slot(channels=32, height=8, width=8, classes=7, stage=2)
CATALOGUE = own()


@pytest.mark.parametrize("name", ["agfer", "se", "cbam:shared_mlp=true"])
def test_it_adds_the_input(name: str) -> None:
    (plain,) = CATALOGUE.choose_modules(name)
    (residual,) = CATALOGUE.choose_modules(f"{name}:residual=true")
    assert residual.label == f"{name}:residual=true"
    blocks = []
    for chosen in (plain, residual):
        with seeded(torch.device("cpu"), 0):
            blocks.append(build_block(chosen, SLOT))
    x = torch.randn(2, 32, 8, 8)
    torch.testing.assert_close(blocks[1](x), x + blocks[0](x))
    nodes = [compute_nodes(block) for block in blocks]
    assert nodes[0] is not None
    assert nodes[1] == nodes[0] + 1


def test_a_plugin_cannot_take_the_name(plugin: Callable[[str, str], EntryPoint]) -> None:
    source = """
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

def build(slot, *, residual: int = 1):
    return nn.Identity()

@hookimpl
def attention_modules():
    return [AttentionSpec(name="mine", build=build, source="", summary="")]
"""
    catalogue = load_catalogue([plugin("my-block", source)])
    assert not catalogue.modules
    assert "'residual' is the harness's own" in str(catalogue.problems[0])
