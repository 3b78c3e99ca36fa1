"""A block is tried in every slot before it is trusted.

What would make numbers false is refused, with an error that names the block's distribution: an
answer that depends on other images of the batch, an evaluation that comes out differently the next
time, weights that no optimiser knows. What a reader should know beside the numbers is kept as a
mark.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from agfer_bench.errors import PluginError, describe
from agfer_bench.network.build import (
    CPU,
    FORMATS,
    LEAVE,
    build_block,
    fault_of_shape,
    place_of,
)
from agfer_bench.network.own_loss import LossError, try_loss
from agfer_bench.network.second_inputs import changes_noted
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.containment import contained, told
from agfer_bench.plugin.specs import AttentionSpec, Slot
from agfer_bench.records.run import MemoryFormat
from agfer_bench.seeds import derive_seed, generator, seeded

_SAME = 1e-4
"""Results that differ by less, relative to the largest number, differ by rounding in fp32."""
_LONGEST_LINE = 80
"""Characters of a line of source that is shown."""
_DEPTH = 3
"""Levels of lists and dicts in which tensors are looked for."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a trial of a block found, where it may run."""

    memory_format: MemoryFormat
    """How maps may lie in memory: contiguous for a block that fails on channels last."""
    marks: tuple[str, ...]
    """What a reader should know, each in a few words that follow the block's name."""
    reason: str | None = None
    """Why maps must be contiguous, and what to write instead, in one line; None where they need
    not be."""

    @property
    def own_loss(self) -> bool:
        """Whether it is trained with a loss of its own beside the network's."""
        return OWN_LOSS in self.marks


OWN_LOSS = "is trained with a loss of its own beside the network's"
"""The mark of a block that has one."""


class _Fault(Exception):
    """The block may not run; the text says why."""

    def __init__(self, text: str, advice: str = "") -> None:
        super().__init__(text)
        self.advice = advice
        """Which operation of the block's own raised, and what takes its place for any layout."""


def try_block(chosen: Chosen[AttentionSpec], slots: Sequence[Slot]) -> Trial:
    """Build a block for every slot and pass random maps through each.

    Raises:
        UserError: The plugin says that an option's value is wrong.
        PluginError: The block cannot be built or is not a new one each time, raises, changes the
            shape or the type, changes its input, changes what other modules run under, returns
            numbers that are not finite, looks at other images of the batch or draws random numbers
            in evaluation, or has weights that would not be trained.
    """
    fault: _Fault | None = None
    reason = None
    for memory_format, torchs in FORMATS.items():
        try:
            marks = _try(chosen, slots, torchs)
        except _Fault as found:
            fault = found
            reason = str(found) + (f"; {found.advice}" if found.advice else "")
            continue
        return Trial(memory_format=memory_format, marks=marks, reason=reason)
    raise PluginError(chosen.entry.distribution, f"{chosen.label}: {fault}")


def _try(
    chosen: Chosen[AttentionSpec], slots: Sequence[Slot], memory_format: torch.memory_format
) -> tuple[str, ...]:
    """Try a block in all slots in one layout; return its marks.

    Raises:
        _Fault: It may not run so.
    """
    seen: dict[int, Tensor] = {}
    marks: dict[str, None] = {}
    with seeded(CPU, derive_seed(0, "trial")):  # no seed that a block sets by chance
        # Twice: weights that come back would be trained on one fold and judged on another.
        slots = [chosen.entry.spec.at(slot) for slot in slots]
        for number, slot in enumerate((*slots, *slots)):
            block = build_block(chosen, slot).eval()
            own = {id(tensor): tensor for tensor in (*block.parameters(), *block.buffers())}
            if own.keys() & seen.keys():
                raise _Fault(
                    "build returned weights that it had returned before; it must make new ones"
                )
            seen |= own
            x_BCHW = torch.randn(2, *slot.given)
            x_BCHW = x_BCHW.contiguous(memory_format=memory_format)
            try:
                hidden = dict(_hidden(block))
                _pass_once(block, x_BCHW, slot)
                if number < len(slots):
                    marks |= dict.fromkeys(_probe(block, x_BCHW, hidden))
            except _Fault as fault:
                raise _Fault(f"at {place_of(slot)} {fault}", fault.advice) from None
    return tuple(marks)


def _pass_once(block: nn.Module, x_BCHW: Tensor, slot: Slot) -> None:
    """Pass a map through a fresh block.

    Raises:
        _Fault: What comes out, or is left behind, is wrong.
    """
    if any(isinstance(one, UninitializedParameter) for one in block.parameters()):
        raise _Fault("build returned lazy layers, which have no weights yet; give their sizes")
    before = x_BCHW.clone()
    names = {name for name, _ in block.named_parameters()}
    with changes_noted(block) as changed:
        y = _forward(block, x_BCHW)
    if not isinstance(y, Tensor):
        raise _Fault(f"forward returned {type(y).__name__}, not a tensor")
    wanted = (len(x_BCHW), slot.channels, slot.height, slot.width)
    if y.shape != wanted:
        raise _Fault(fault_of_shape(tuple(x_BCHW.shape), tuple(y.shape), wanted))
    if y.dtype != x_BCHW.dtype:
        raise _Fault(f"forward changed the type from {x_BCHW.dtype} to {y.dtype}")
    if not torch.isfinite(y).all():
        raise _Fault("forward returned numbers that are not finite")
    if not torch.equal(before, x_BCHW):
        raise _Fault("forward changed its input")
    if changed:
        raise _Fault(f"forward changed its input {changed[0]}")
    late = {name for name, _ in block.named_parameters()} - names
    if late:
        raise _Fault(
            f"forward added the weights {min(late)}, which the optimiser does not know; add them "
            "in __init__"
        )


def _forward(block: nn.Module, x_BCHW: Tensor) -> Any:
    """Pass a map through; what the block changes around it is put back, and a fault."""
    try:
        with contained(draws=True) as changes, torch.no_grad():
            y: Any = block(x_BCHW)
    except (Exception, SystemExit) as error:
        raise _Fault(f"forward failed: {describe(error)}", _advice(error)) from None
    if changes:
        raise _Fault(f"forward {told(changes)}; {LEAVE}")
    return y


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


def _probe(block: nn.Module, x_BCHW: Tensor, hidden: Mapping[str, Tensor]) -> Iterator[str]:
    """Look for what makes numbers false though every pass looks right; yield marks.

    Weights are moved off their initial values first: a branch that starts at zero hides what goes
    on behind it.

    Args:
        block: The block, in evaluation mode; its weights are changed.
        x_BCHW: A map of two images.
        hidden: Tensors that it had before the first pass and that torch does not know.

    Raises:
        _Fault: It was found.
    """
    random = generator(0, "nudge")
    with torch.no_grad():
        for tensor in block.parameters():
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=random).to(tensor)
                tensor.add_(0.1 * (1 + tensor.abs()) * noise)
    first = _looked(block, x_BCHW, seed=1)
    if not _alike(first, _looked(block, x_BCHW, seed=2)):
        raise _Fault("in evaluation two passes of the same map differ: it draws random numbers")
    mates = torch.cat([x_BCHW[:1], 3 * x_BCHW[1:] + 1])
    for image, where in ((mates, "with the other images of the batch"), (x_BCHW[:1], "alone")):
        if not _alike(first[:1], _looked(block, image, seed=1)[:1]):
            raise _Fault(f"in evaluation its answer for an image changes {where}")
    yield from _strays(block, x_BCHW, first, hidden)
    if _has_loss(block, x_BCHW):
        yield OWN_LOSS


def _has_loss(block: nn.Module, x_BCHW: Tensor) -> bool:
    try:
        with contained(draws=True) as changes:
            found = try_loss(block, x_BCHW)
    except LossError as error:
        raise _Fault(str(error)) from None
    except (Exception, SystemExit) as error:
        raise _Fault(f"its loss failed: {describe(error)}") from None
    if changes:
        raise _Fault(f"its loss {told(changes)}; {LEAVE}")
    return found


def _looked(block: nn.Module, x_BCHW: Tensor, seed: int) -> Tensor:
    with seeded(CPU, seed, strict=False):
        y: Tensor = _forward(block, x_BCHW.clone())
    return y


def _alike(one: Tensor, other: Tensor) -> bool:
    """Tell whether results differ by rounding at most; numbers that are none differ from nothing.

    Nudged weights may well give such numbers, which says nothing about the block as it is.
    """
    scale = one.abs().nan_to_num().max().clamp(min=1)
    return bool(((one - other).abs().nan_to_num(0.0) <= _SAME * scale).all())


def _strays(
    block: nn.Module, x_BCHW: Tensor, first: Tensor, hidden: Mapping[str, Tensor]
) -> Iterator[str]:
    """Find which hidden tensors forward uses: those that the answer changes with."""
    known = {id(tensor) for tensor in (*block.parameters(), *block.buffers())}
    for name, tensor in hidden.items():
        if id(tensor) in known or not tensor.is_floating_point() or not tensor.numel():
            continue
        known.add(id(tensor))
        if not _changes(block, x_BCHW, first, tensor):
            continue
        if isinstance(tensor, nn.Parameter) or tensor.requires_grad:
            raise _Fault(
                f"the weights {name} are not registered, so that nothing trains them; put them "
                "into an nn.Parameter, nn.ParameterList or nn.ModuleList"
            )
        yield (
            f"uses a tensor, {name}, that is neither a parameter nor a buffer: it is not saved "
            "with the weights, nor moved to the device"
        )


def _changes(block: nn.Module, x_BCHW: Tensor, first: Tensor, tensor: Tensor) -> bool:
    """Tell whether the answer changes with a tensor, which is put back."""
    before = tensor.detach().clone()
    with torch.no_grad():
        tensor.data = before + 1 + before.abs()
        try:
            return not _alike(first, _looked(block, x_BCHW, seed=1))
        except _Fault:
            return True
        finally:
            tensor.data = before


def _hidden(block: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield tensors in attributes of a block's modules that torch does not know, by name."""
    torchs = {"_parameters", "_buffers", "_modules"}
    for path, module in block.named_modules():
        for name, value in vars(module).items():
            if name not in torchs:
                yield from _tensors(f"{path}.{name}" if path else name, value, _DEPTH)


def _tensors(name: str, value: Any, depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, nn.Module):
        for inner, tensor in value.named_parameters():
            yield f"{name}.{inner}", tensor
    elif depth and isinstance(value, Mapping):
        for key, one in value.items():
            yield from _tensors(f"{name}[{key!r}]", one, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _tensors(f"{name}[{number}]", one, depth - 1)
