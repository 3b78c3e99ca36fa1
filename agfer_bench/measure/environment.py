"""Where and with what a run is made."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import agfer_bench
from agfer_bench.errors import UserError
from agfer_bench.records.run import EnvironmentRecord

_PACKAGES = (
    "agfer-bench",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "pandas",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "timm",
    "torch",
    "torchvision",
)


def choose_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`.

    Raises:
        UserError: CUDA is asked for and not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        built = "finds no GPU" if torch.version.cuda else "is built without CUDA"
        raise UserError(f"--device cuda: torch {torch.__version__} {built}; use --device cpu")
    return torch.device(name)


def describe_environment(
    device: torch.device,
    harness_sha256: str | None = None,
    training_threads: int | None = None,
) -> EnvironmentRecord:
    """Describe the machine and the software.

    Args:
        device: Where was trained and timed.
        harness_sha256: Hash of the harness's code, where numbers depend on it.
        training_threads: Threads of each training; None where nothing was trained.
    """
    revision, dirty = checkout_revision()
    return EnvironmentRecord(
        device="cuda" if device.type == "cuda" else "cpu",
        device_name=device_name(device),
        threads=torch.get_num_threads(),
        training_threads=training_threads,
        platform=platform.platform(),
        python=platform.python_version(),
        harness_sha256=harness_sha256,
        packages={name: found for name in _PACKAGES if (found := _version(name))},
        revision=revision,
        dirty=dirty,
    )


@cache
def device_name(device: torch.device) -> str:
    """Name the GPU, or the processor with the instruction set that torch uses on it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()} ({torch.backends.cpu.get_cpu_capability()})"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def checkout_revision() -> tuple[str | None, bool | None]:
    """Return the git revision of the harness's own checkout, and whether it was changed since.

    Nothing is returned where the package is installed elsewhere, even if that place lies within
    somebody's repository: git must know the package's own file.
    """
    folder = Path(agfer_bench.__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    revision = _git(folder, "rev-parse", "HEAD")
    status = _git(folder.parent, "status", "--porcelain", "--", "agfer_bench", "plugins")
    return revision, None if status is None else bool(status)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
