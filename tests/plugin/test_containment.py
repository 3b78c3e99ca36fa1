"""What strangers change of the process: told in words and put back, drawing numbers aside."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.module import register_module_forward_hook

from agfer_bench import interrupts
from agfer_bench.errors import Escaped
from agfer_bench.plugin.containment import contained
from agfer_bench.seeds import Reseeded, seeded

CPU = torch.device("cpu")


def _look() -> list[Any]:
    """Look at the process by other means than the guard, where there are any."""
    x = torch.tensor([-1.0, 2.0], dtype=torch.float32, device="cpu")
    return [
        torch.empty(1).dtype,
        torch.empty(1).device.type,
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
        torch.backends.cuda.matmul.allow_tf32,
        Path.cwd(),
        functional.relu(x).tolist(),
        torch.sigmoid(x).tolist(),
        x.relu().tolist(),
        (x + x).tolist(),
        nn.Linear(1, 1, bias=False).__class__.__mro__,
        nn.Identity()(x).tolist(),
        nn.ReLU()(x).tolist(),
        torch.backends.mkldnn.is_available() and torch._C._get_mkldnn_enabled(),
        signal.getsignal(signal.SIGINT),
        _step(),
        torch.rand(3, dtype=torch.float32, device="cpu").tolist(),
        np.random.rand(),
        random.random(),
    ]


def _step() -> float:
    weight = nn.Parameter(torch.ones((), dtype=torch.float32, device="cpu"))
    weight.grad = torch.ones_like(weight)
    torch.optim.SGD([weight], lr=0.5).step()
    return float(weight.detach())


def _hook(module: nn.Module, given: Any, y: torch.Tensor) -> torch.Tensor:
    return 2 * y


DEEDS: dict[str, tuple[Callable[[], object], str]] = {
    "dtype": (
        lambda: torch.set_default_dtype(torch.float64),
        "changed torch's default dtype to float64",
    ),
    "device": (
        lambda: torch.set_default_device("meta"),
        "changed torch's default device to meta",
    ),
    "grad": (lambda: torch.set_grad_enabled(False), "changed torch's grad mode to False"),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True),
        "changed torch's mode of deterministic algorithms to 2",
    ),
    "threads": (
        lambda: torch.set_num_threads(torch.get_num_threads() + 1),
        "changed torch's number of threads to",
    ),
    "precision": (
        lambda: torch.set_float32_matmul_precision("high"),
        "changed torch's float32 matmul precision to high",
    ),
    "folder": (lambda: os.chdir("/"), "changed the current directory to /"),
    "function": (
        lambda: setattr(functional, "relu", lambda x, inplace=False: x * 0),
        "replaced torch.nn.functional.relu",
    ),
    "builtin": (lambda: setattr(torch, "sigmoid", torch.tanh), "replaced torch.sigmoid"),
    "method": (
        lambda: setattr(torch.Tensor, "relu", lambda x: x),
        "replaced torch.Tensor.relu",
    ),
    "operator": (
        lambda: setattr(torch.Tensor, "__add__", lambda x, y: x),
        "replaced torch.Tensor.__add__",
    ),
    "layer": (
        lambda: setattr(nn, "Linear", type("Linear", (nn.Linear,), {})),
        "replaced torch.nn.Linear",
    ),
    "forward": (
        lambda: setattr(nn.ReLU, "forward", lambda self, x: 2 * x),
        "replaced torch.nn.ReLU.forward",
    ),
    "optimiser": (
        lambda: setattr(torch.optim.SGD, "step", lambda self, closure=None: None),
        "replaced torch.optim.SGD.step",
    ),
    "hook": (
        lambda: register_module_forward_hook(_hook),  # type: ignore[arg-type]
        "hooked into all modules",
    ),
    "oneDNN": (
        lambda: torch._C._set_mkldnn_enabled(False),
        "changed torch's use of oneDNN to False",
    ),
    "Ctrl-C": (
        lambda: signal.signal(signal.SIGINT, lambda number, frame: None),
        "changed what the process does on SIGINT",
    ),
    "torch's seed": (lambda: torch.manual_seed(7), "re-seeded torch's random numbers"),
    "NumPy's seed": (lambda: np.random.seed(7), "re-seeded NumPy's random numbers"),
    "Python's seed": (lambda: random.seed(7), "re-seeded Python's random numbers"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", DEEDS)
def test_a_deed_is_told_and_put_back(name: str) -> None:
    deed, words = DEEDS[name]
    with seeded(CPU, 1234):
        before = _look()
    with seeded(CPU, 1234):
        with contained() as changes:
            deed()
            if name != "device":  # a tensor without data cannot be looked into
                assert _look() != before, "the deed must show without the guard"
        after = _look()
        if name == "torch's seed":
            torch.manual_seed(1234)
    assert after == before
    assert len(changes) == 1
    assert changes[0].startswith(words)


def test_filters_of_warnings_are_put_back_and_not_told() -> None:
    before = list(warnings.filters)
    with contained() as changes:
        warnings.simplefilter("error")
    assert (changes, warnings.filters) == ([], before)


class Odd(BaseException):
    """Made to pass every `except Exception`."""


def test_what_would_pass_all_handlers_is_held() -> None:
    with pytest.raises(Escaped, match="Odd: hello"), contained():
        raise Odd("hello")
    with pytest.raises(SystemExit), contained():
        raise SystemExit(3)


def test_an_interrupt_is_held_where_nobody_asked_for_it() -> None:
    with pytest.raises(KeyboardInterrupt), contained():
        raise KeyboardInterrupt  # nobody listens: it may be somebody's
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interrupts.listening():
            with pytest.raises(Escaped, match="nobody pressed Ctrl-C"), contained():
                raise KeyboardInterrupt
            with pytest.raises(KeyboardInterrupt), contained():
                signal.raise_signal(signal.SIGINT)
            assert interrupts.came()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupts.came() is None


def test_several_deeds_are_told_together() -> None:
    with contained() as changes:
        for name in ("exp", "log", "sin", "cos"):
            setattr(torch, name, torch.tanh)
        torch.set_default_dtype(torch.float64)
    names, dtype = changes
    assert names.startswith("replaced torch.")
    assert names.endswith(" and 1 more")
    assert dtype == "changed torch's default dtype to float64"
    assert torch.exp(torch.zeros(())) == 1


def test_a_deed_is_put_back_when_the_code_raises() -> None:
    def raises() -> None:
        torch.set_default_dtype(torch.float64)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), contained():
        raises()
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize("draws", [False, True])
def test_drawing_is_no_deed(draws: bool) -> None:
    def draw() -> list[Any]:
        return [torch.rand(3).tolist(), np.random.rand(500_000)[-1], random.random()]

    with seeded(CPU, 0):
        first, second = draw(), draw()
    with seeded(CPU, 0):
        with contained(draws=draws) as changes:
            assert draw() == first
        assert draw() == (second if draws else first)
    assert changes == []


def test_new_names_are_no_deed() -> None:
    with contained() as changes:
        torch.of_a_stranger = 1  # type: ignore[attr-defined]
        torch.Tensor.of_a_stranger = 1  # type: ignore[attr-defined]
    assert changes == []
    del torch.of_a_stranger, torch.Tensor.of_a_stranger  # type: ignore[attr-defined]


def test_what_torch_replaces_itself_stays() -> None:
    code = (
        "import torch\nfrom agfer_bench.plugin.containment import contained\n"
        "was = torch.manual_seed\n"
        "with contained() as changes:\n    import torch._dynamo\n"
        "print(changes, torch.manual_seed is was)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("[] "), done.stdout


def test_nothing_is_imported_to_look() -> None:
    code = (
        "import sys\nfrom agfer_bench.plugin.containment import contained\n"
        "with contained() as changes:\n    pass\n"
        "print(changes, {'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] set()\n"


def test_a_seed_set_where_the_harness_had_set_one() -> None:
    with pytest.raises(Reseeded, match="re-seeded with 8"), seeded(CPU, 7):
        torch.manual_seed(8)
    with seeded(CPU, 7), torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)


def test_what_torchs_compiler_replaces_is_its_own_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling a network whose modules are made anew puts another constructor in place."""
    from torch._dynamo import mutation_guard

    before = nn.Module.__init__
    for name in ("__init__", "__setstate__"):  # put back at the end of the test
        monkeypatch.setattr(nn.Module, name, getattr(nn.Module, name))
    monkeypatch.delattr(nn.Module, "___needs_generation_tag_patch", raising=False)
    with contained() as changes:
        mutation_guard.install_generation_tagging_init()
    assert nn.Module.__init__ is not before, "else this shows nothing"
    assert changes == []
