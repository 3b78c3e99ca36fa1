"""Learning curves for TensorBoard: `agfer-bench run --track tensorboard=FOLDER`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from agfer_bench import TrackerSpec, UserError, hookimpl
from agfer_bench_tensorboard.logs import Logs


def start(folder: Path | None) -> Logs:
    """Follow runs into event files below a folder.

    Raises:
        UserError: There is no folder, or TensorBoard is not installed.
    """
    if folder is None:
        raise UserError("--track tensorboard names no folder: write tensorboard=FOLDER")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--track tensorboard={folder} is a file; name a folder")
    if find_spec("tensorboard") is None:
        raise UserError(
            "--track tensorboard needs TensorBoard: pip install 'agfer-bench[tensorboard]', "
            "or leave the option out"
        )
    return Logs(folder)


@hookimpl
def run_trackers() -> list[TrackerSpec]:
    """Offer the tracker."""
    return [TrackerSpec(name="tensorboard", start=start, summary="Learning curves for TensorBoard")]
