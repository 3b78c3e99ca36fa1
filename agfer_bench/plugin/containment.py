"""What all modules of a process run under, put back after a stranger's code has run.

A default dtype, a replaced function, a seed: one plugin that changes them changes every other
module's numbers. What is looked at: torch's global settings, the functions and classes that torch
offers with what is in them, hooks on all modules, the global generators of torch, NumPy and Python,
filters of warnings, handlers of signals, and the current directory. It is no sandbox: `torch._C` or
the environment are left alone.

Nothing is imported for this: what is not loaded yet cannot have been changed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agfer_bench import interrupts
from agfer_bench.errors import Escaped, describe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHOWN = 3
"""Replaced names that are listed; the others are counted."""


@contextmanager
def contained(*, draws: bool = False) -> Iterator[list[str]]:
    """Put back at the end what changed; the list then says what, each as "changed ... to ...".

    Args:
        draws: Whether drawing random numbers is what the code is there for: the global generators
            are then left where they came to, unless they were seeded anew. Else they are put back
            in any case; drawing alone is never told.
    """
    before = Snapshot()
    changes: list[str] = []
    try:
        with ordinary():
            yield changes
    finally:
        changes += before.put_back(draws=draws)


@contextmanager
def ordinary() -> Iterator[None]:
    """Turn what no `except Exception` would hold into an `Escaped`.

    SystemExit stays, and so does a KeyboardInterrupt that somebody asked for.

    Raises:
        Escaped: A stranger's code raised such a thing.
    """
    try:
        yield
    except (Exception, SystemExit, GeneratorExit):
        raise
    except KeyboardInterrupt as error:
        if interrupts.came() is not False:
            raise
        raise Escaped("KeyboardInterrupt, though nobody pressed Ctrl-C") from error
    except BaseException as error:
        raise Escaped(describe(error)) from error


class Snapshot:
    """All that is looked at, as it is when this is made."""

    def __init__(self) -> None:
        self._names, self._settings, self._generators = _Names(), _Settings(), _Generators()
        self._hooks, self._process = _Hooks(), _Process()

    def put_back(self, *, draws: bool = False) -> list[str]:
        """Put back what has changed and say what, as `contained` does; may be asked again."""
        return [
            *self._names.put_back(),  # first: what follows asks torch's own functions
            *self._settings.put_back(),
            *self._hooks.put_back(),
            *self._process.put_back(),
            *self._generators.put_back(draws=draws),
        ]


def told(changes: Sequence[str]) -> str:
    """Say changes in one line.

    >>> told(["changed a to 1", "replaced b", "re-seeded c"])
    'changed a to 1, replaced b and re-seeded c'
    """
    *most, last = changes
    return f"{', '.join(most)} and {last}" if most else last


@dataclass(frozen=True, kw_only=True)
class _Setting:
    name: str
    """In words."""
    get: Callable[[], Any]
    """Returns its value."""
    put: Callable[[Any], object]
    """Sets it."""


def _known_settings() -> list[_Setting]:
    found = [_Setting(name="the current directory", get=_folder, put=_enter)]
    if "torch" not in sys.modules:
        return found
    import torch

    def device(value: torch.device) -> None:
        torch.set_default_device(None if value.type == "cpu" else value)

    def precision() -> str:
        try:
            return torch.get_float32_matmul_precision()
        except RuntimeError:  # torch does not tell where its older and newer names disagree
            return "something that torch cannot tell"

    return [
        *found,
        _Setting(
            name="torch's default dtype", get=torch.get_default_dtype, put=torch.set_default_dtype
        ),
        _Setting(name="torch's default device", get=torch.get_default_device, put=device),
        _Setting(
            name="torch's grad mode", get=torch.is_grad_enabled, put=torch.set_grad_enabled
        ),
        _Setting(
            name="torch's mode of deterministic algorithms",
            get=torch.get_deterministic_debug_mode,
            put=torch.set_deterministic_debug_mode,
        ),
        _Setting(
            name="torch's number of threads", get=torch.get_num_threads, put=torch.set_num_threads
        ),
        _Setting(
            name="torch's float32 matmul precision",
            get=precision,
            put=torch.set_float32_matmul_precision,
        ),
        _Setting(
            name="torch's use of oneDNN",
            get=lambda: torch.backends.mkldnn.enabled,
            put=torch.backends.mkldnn.set_flags,
        ),
    ]  # fmt: skip


class _Settings:
    """Values of all settings at one time."""

    def __init__(self) -> None:
        self._values = [(setting, setting.get()) for setting in _known_settings()]

    def put_back(self) -> list[str]:
        changes = []
        for setting, before in self._values:
            after = setting.get()
            if after != before:
                setting.put(before)
                changes.append(f"changed {setting.name} to {str(after).removeprefix('torch.')}")
        return changes


def _folder() -> Path | None:
    with suppress(OSError):  # it may be gone
        return Path.cwd()
    return None


def _enter(folder: Path | None) -> None:
    if folder is not None:
        with suppress(OSError):
            os.chdir(folder)


class _Names:
    """What the names of torch's namespaces stand for at one time."""

    def __init__(self) -> None:
        self._before = [(space, _public(space)) for space in _namespaces()]

    def put_back(self) -> list[str]:
        replaced = []
        for space, before in self._before:
            after = vars(space)
            where = space.__name__ if not isinstance(space, type) else _class_name(space)
            for name, value in before.items():
                if after.get(name) is not value and not _of_torch(after.get(name), name):
                    setattr(space, name, value)
                    replaced.append(f"{where}.{name}")
            for name in _hiding(space, set(after) - set(before)):
                delattr(space, name)
                replaced.append(f"{where}.{name}")
        if not replaced:
            return []
        more = len(replaced) - _SHOWN
        return [f"replaced {', '.join(replaced[:_SHOWN])}" + (f" and {more} more" * (more > 0))]


def _namespaces() -> list[Any]:
    if "torch" not in sys.modules:
        return []
    import torch
    from torch import nn
    from torch.nn import functional

    return [torch, functional, nn, torch.Tensor, *_classes()]


@cache
def _classes() -> tuple[type, ...]:
    """Return the classes that networks are made of, and those that train them."""
    from torch import nn, optim

    offered = [*vars(nn).values(), *vars(optim).values()]
    return tuple(dict.fromkeys(one for one in offered if isinstance(one, type)))


def _class_name(kind: type) -> str:
    if kind.__name__ == "Tensor":
        return "torch.Tensor"
    return f"torch.{'optim' if '.optim' in kind.__module__ else 'nn'}.{kind.__name__}"


class _Hooks:
    """The hooks that torch calls for every module there is."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, dict[Any, Any]]] = []
        if "torch" in sys.modules:
            from torch.nn.modules import module

            found = [value for name, value in vars(module).items() if name.startswith("_global_")]
            self._before = [(hooks, dict(hooks)) for hooks in found if isinstance(hooks, dict)]

    def put_back(self) -> list[str]:
        changed = False
        for hooks, before in self._before:
            if hooks != before:
                changed = True
                hooks.clear()
                hooks.update(before)
        return ["hooked into all modules"] * changed


class _Process:
    """What decides how the whole process takes warnings and signals."""

    def __init__(self) -> None:
        self._filters = list(warnings.filters)
        self._handlers = {one: signal.getsignal(one) for one in _SIGNALS}

    def put_back(self) -> list[str]:
        """Put both back; filters are not told, since libraries set some when they are loaded."""
        if warnings.filters != self._filters:
            warnings.filters[:] = self._filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]
        changed = [one for one, before in self._handlers.items() if signal.getsignal(one) != before]
        if not changed or threading.current_thread() is not threading.main_thread():
            return []
        for one in changed:
            signal.signal(one, self._handlers[one])
        return [f"changed what the process does on {signal.Signals(one).name}" for one in changed]


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _public(space: Any) -> dict[str, Any]:
    """Return the names of a class; of a module those that are not its own affair."""
    whole = isinstance(space, type)
    mine = "Storage"  # torch changes it with the default dtype
    return {n: value for n, value in vars(space).items() if whole or not (n[0] == "_" or n == mine)}


def _hiding(space: Any, new: set[str]) -> list[str]:
    """Return new names of a class that hide inherited ones: most of a tensor's are inherited."""
    if not isinstance(space, type):
        return []
    inherited = set().union(*(vars(base) for base in space.__mro__[1:]))
    # torch wraps the step of an optimiser in the first one that is made.
    return sorted(name for name in new & inherited if not _of_torch(vars(space)[name], name))


def _of_torch(value: Any, name: str) -> bool:
    """Tell whether torch replaced a function itself, as it does when its compiler is loaded."""
    import torch

    code = getattr(value, "__code__", None)
    home = Path(torch.__file__).parent
    if code is None or home not in Path(code.co_filename).parents:
        return False
    # The compiler watches modules as they are made, by a constructor under a name of its own.
    of_compiler = home / "_dynamo" in Path(code.co_filename).parents
    return of_compiler or getattr(value, "__name__", "") == name


class _Generators:
    """States of the global generators at one time."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy: Any = None
        self._torch: Any = None
        if "numpy" in sys.modules:
            import numpy

            self._numpy = numpy.random.get_state()
        if "torch" in sys.modules:
            import torch

            self._torch = torch.get_rng_state(), torch.initial_seed()

    def put_back(self, *, draws: bool) -> list[str]:
        """Put the states back; where drawing is welcome, only those that were seeded anew."""
        changes = []
        for name, seeded, put in self._all():
            if seeded or not draws:
                put()
            if seeded:
                changes.append(f"re-seeded {name}'s random numbers")
        return changes

    def _all(self) -> Iterator[tuple[str, bool, Callable[[], object]]]:
        if self._torch is not None:
            import torch

            state, seed = self._torch
            yield "torch", torch.initial_seed() != seed, lambda: torch.set_rng_state(state)
        if self._numpy is not None:
            import numpy

            now: Any = numpy.random.get_state()
            seeded = not _drawn(self._numpy[1], now[1])
            yield "NumPy", seeded, lambda: numpy.random.set_state(self._numpy)
            words = numpy.array([self._python[1][:-1], random.getstate()[1][:-1]], "uint32")
            seeded = not _drawn(words[0], words[1])
            yield "Python", seeded, lambda: random.setstate(self._python)
        else:
            yield "Python", False, lambda: random.setstate(self._python)


_TURNS = 10_000
"""Times that 624 numbers may be drawn and still be told from a new seed: those of a large layer."""


def _drawn(before: NDArray[np.uint32], after: NDArray[np.uint32]) -> bool:
    """Tell whether drawing leads from one state of a Mersenne Twister to another."""
    import numpy

    if numpy.array_equal(before, after):
        return True
    twister = numpy.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": before, "pos": len(before)}}
    for _ in range(_TURNS):
        twister.random_raw(len(before), output=False)
        state: Any = twister.state
        if numpy.array_equal(state["state"]["key"], after):
            return True
    return False
