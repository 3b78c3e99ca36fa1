"""A block on trial: built and run once in each slot before it is trusted."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from agfer_bench.errors import PluginError, describe
from agfer_bench.network.build import CPU, FORMATS, LEAVE, build_block, place_of
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.containment import contained, told
from agfer_bench.plugin.specs import AttentionSpec, Slot
from agfer_bench.records.run import MemoryFormat
from agfer_bench.seeds import derive_seed, seeded

_LONGEST_LINE = 80
"""Characters of a line of source that is shown."""


class Layout(NamedTuple):
    """How a block's maps lie in memory."""

    memory_format: MemoryFormat
    """Contiguous for a block that fails on channels last."""
    reason: str | None
    """Why they are contiguous, and what to write instead, in one line; None for channels last."""


class _Fault(NamedTuple):
    """What a block does wrong."""

    text: str
    """In one line, to stand behind the place."""
    advice: str = ""
    """Which operation of the block's own raised, and what takes its place for any layout."""


def try_block(chosen: Chosen[AttentionSpec], slots: Sequence[Slot]) -> Layout:
    """Build a block for every slot and pass one random map through each.

    Returns:
        How maps may lie in memory: contiguous for a block that fails on channels last, say since
        it calls `view`.

    Raises:
        UserError: The plugin says that an option's value is wrong.
        PluginError: The block cannot be built or is not a new one each time, raises, changes the
            shape or the type, changes its input, changes what other modules run under, or returns
            numbers that are not finite.
    """
    reason = fault = None
    for memory_format, layout in FORMATS.items():
        fault = _first_fault(chosen, slots, layout)
        if fault is None:
            return Layout(memory_format=memory_format, reason=reason)
        reason = fault.text + (f"; {fault.advice}" if fault.advice else "")
    assert fault is not None
    raise PluginError(chosen.entry.distribution, f"{chosen.label}: {fault.text}")


def _first_fault(
    chosen: Chosen[AttentionSpec], slots: Sequence[Slot], layout: torch.memory_format
) -> _Fault | None:
    seen: dict[int, Tensor] = {}
    with seeded(CPU, derive_seed(0, "trial")):  # no seed that a block sets by chance
        # Twice: weights that come back would be trained on one fold and judged on another.
        for slot in (*slots, *slots):
            block = build_block(chosen, slot).eval()
            own = {id(tensor): tensor for tensor in (*block.parameters(), *block.buffers())}
            if own.keys() & seen.keys():
                return _Fault(
                    "build returned weights that it had returned before; it must make new ones"
                )
            seen |= own
            x_BCHW = torch.randn(2, slot.channels, slot.height, slot.width)
            fault = _fault(block, x_BCHW.contiguous(memory_format=layout))
            if fault is not None:
                return fault._replace(text=f"at {place_of(slot)} {fault.text}")
    return None


def _fault(block: nn.Module, x_BCHW: Tensor) -> _Fault | None:
    before = x_BCHW.clone()
    try:
        with contained(draws=True) as changes, torch.no_grad():
            y: Any = block(x_BCHW)
    except (Exception, SystemExit) as error:
        return _Fault(f"forward failed: {describe(error)}", _advice(error))
    text = _wrong(y, before, x_BCHW, changes)
    return None if text is None else _Fault(text)


def _wrong(y: Any, before: Tensor, x_BCHW: Tensor, changes: Sequence[str]) -> str | None:
    if changes:
        return f"forward {told(changes)}; {LEAVE}"
    if not isinstance(y, Tensor):
        return f"forward returned {type(y).__name__}, not a tensor"
    if y.shape != x_BCHW.shape:
        return f"forward changed the shape from {tuple(x_BCHW.shape)} to {tuple(y.shape)}"
    if y.dtype != x_BCHW.dtype:
        return f"forward changed the type from {x_BCHW.dtype} to {y.dtype}"
    if not torch.isfinite(y).all():
        return "forward returned numbers that are not finite"
    if not torch.equal(before, x_BCHW):
        return "forward changed its input"
    return None


def _advice(error: BaseException) -> str:
    """Name the block's own line that raised, and what to write for maps of any layout."""
    torch_files, here = Path(torch.__file__).parent, Path(__file__)
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if torch_files not in Path(frame.filename).parents and Path(frame.filename) != here
    ]
    if not own:
        return ""
    line = own[-1].line or ""
    instead = "call .contiguous() on what it is given"
    if ".view(" in line or "view size is not compatible" in str(error):
        instead = "write reshape(...) in place of view(...)"
    shown = line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
    return f"in `{shown}` ({Path(own[-1].filename).name}:{own[-1].lineno}) {instead}"
