"""What a block is, beyond its name: its code, and the weights that it starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from agfer_bench.errors import PluginError, describe
from agfer_bench.network.build import CPU, build_block
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.code import code_of
from agfer_bench.plugin.specs import AttentionSpec, ClassifierSpec, Slot
from agfer_bench.seeds import derive_seed, seeded


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a training depends on of the block itself. Where it differs, nothing is used again."""

    code_sha256: str
    """Of the code that it consists of, as `plugin.code.Code.sha256`."""
    weights_sha256: str | None
    """Of its weights and buffers as built under one seed: weights that it loads from a file are
    among them. None for a classifier, which has none before it is fitted."""


UNKNOWN = Identity(code_sha256="unknown", weights_sha256=None)
"""Of a block that cannot be built."""


def identity_of(chosen: Chosen[AttentionSpec], slots: Sequence[Slot]) -> Identity:
    """Build a block for every slot and find out what it is.

    Raises:
        UserError: An option's value is wrong.
        PluginError: It cannot be built, or its code cannot be looked at.
    """
    with seeded(CPU, derive_seed(0, "identity"), strict=False):
        blocks = [build_block(chosen, slot) for slot in slots]
    parts = [part for block in blocks for part in block.modules()]
    return Identity(code_sha256=_code_sha256(chosen, parts), weights_sha256=_weights_sha256(blocks))


def identity_of_classifier(chosen: Chosen[ClassifierSpec]) -> Identity:
    """Find out what a classifier is, from what its building function names.

    Raises:
        PluginError: Its code cannot be looked at.
    """
    return Identity(code_sha256=_code_sha256(chosen, ()), weights_sha256=None)


def _code_sha256(
    chosen: Chosen[AttentionSpec] | Chosen[ClassifierSpec], parts: Iterable[nn.Module]
) -> str:
    build = chosen.entry.spec.build
    try:
        return code_of(build, parts).sha256
    except Exception as error:  # a stranger's object may raise at whatever it is asked
        text = f"{chosen.label}: its code cannot be looked at: {describe(error)}"
        raise PluginError(chosen.entry.distribution, text) from error


def _weights_sha256(blocks: Iterable[nn.Module]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        for name, tensor in block.state_dict().items():
            digest.update(f"{name}\0{tuple(tensor.shape)}\0{tensor.dtype}\0".encode())
            numbers = torch.atleast_1d(tensor.detach().cpu().contiguous())
            digest.update(numbers.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
