"""Count the multiply-accumulates of a forward pass, or name what has no count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from agfer_bench.measure.operator_counts import count_of, is_view, name_of

OUTSIDE = "code outside torch's operators"
"""What numbers are said to come from that no operator made: NumPy, or a kernel (in Triton, in C++)
that is not registered with torch."""


@dataclass(frozen=True, kw_only=True)
class Operations:
    """What was counted in a forward pass."""

    counted: int
    """Multiply-accumulates of all operators that have a count."""
    uncounted: tuple[str, ...]
    """The others by torch's names, say `aten::_fft_r2c`, in alphabetical order."""

    @property
    def total(self) -> int | None:
        """Multiply-accumulates of the pass; None where an operator has no count."""
        return None if self.uncounted else self.counted


def count_operations(module: nn.Module, x: Tensor) -> Operations:
    """Count the multiply-accumulates of a module's forward pass, as `operator_counts` says.

    The pass runs as it is written: neither compiled, nor as the fused encoder layers that torch
    takes in evaluation mode. Fused attention runs, and counts as the two products that it stands
    for.

    Args:
        module: Run as it is, in training or evaluation mode.
        x: Its input, on its device.
    """
    counter = _Counter()
    with _as_written(), torch.no_grad(), _Leaving(counter), counter:
        module(x)
    return Operations(counted=counter.total, uncounted=tuple(sorted(counter.uncounted)))


@contextmanager
def _as_written() -> Iterator[None]:
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.compiler.set_stance("force_eager"):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


class _Counter(TorchDispatchMode):
    """Sees every operator that a pass calls, and every tensor that goes into one.

    A kernel that is no operator is not seen. It has to put its results somewhere: into a tensor
    that an operator made, empty or full of zeros. So a fresh tensor is remembered until an operator
    writes to it, and if it is read before, and is not as it was made, code outside filled it.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0
        self.uncounted: set[str] = set()
        self._fresh: dict[int, tuple[Tensor, bool]] = {}
        """By address of their storage: tensors that no operator has written to, and whether they
        were made full of zeros."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name, count = name_of(func), count_of(func)
        if count is None and isinstance(func, OpOverload):
            with self:  # an operator made of others, where autograd has not taken it apart
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if isinstance(func, OpOverload):
            self._look_for_outside(func, args, kwargs)
        result = func(*args, **kwargs)
        if isinstance(func, OpOverload):
            self._remember(name, result)
        if count is None or _sparse(args):
            self.uncounted.add(name)
        else:
            self.total += count(result, *args, **kwargs)
        return result

    def _remember(self, name: str, result: Any) -> None:
        words = name.removeprefix("aten::").removeprefix("new_")
        if words.startswith(("empty", "zeros")) and isinstance(result, Tensor):
            self._fresh[_place(result)] = (result, words.startswith("zeros"))

    def _look_for_outside(self, func: OpOverload, args: Any, kwargs: Any) -> None:
        """Find arguments that code outside has filled."""
        if not self._fresh or is_view(func) or func.name().endswith("_like"):
            return
        for position, argument in enumerate(func._schema.arguments):
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            written = argument.alias_info is not None and argument.alias_info.is_write
            for tensor in tree_leaves(value):
                if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
                    continue
                found = self._fresh.pop(_place(tensor), None)
                if found is not None and not written and _filled(*found):
                    self.uncounted.add(OUTSIDE)


def _place(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _filled(tensor: Tensor, zeros: bool) -> bool:
    return tensor.numel() > 0 and (not zeros or bool(tensor.any()))


def _sparse(args: tuple[Any, ...]) -> bool:
    """Tell whether an argument is sparse: its shape does not say what is multiplied."""
    tensors = [one for one in tree_leaves(args) if isinstance(one, Tensor)]
    return any(one.layout != torch.strided for one in tensors)


class _Leaving(TorchFunctionMode):
    """Sees tensors leave for NumPy and the like."""

    def __init__(self, counter: _Counter) -> None:
        super().__init__()
        self._counter = counter

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _EXITS:
            self._counter.uncounted.add(OUTSIDE)
        return func(*args, **(kwargs or {}))


_EXITS = (Tensor.numpy, Tensor.__array__, Tensor.__dlpack__)
