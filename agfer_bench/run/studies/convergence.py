"""Training until nothing more comes: is a block ahead sooner, or for good?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agfer_bench.comparison.convergence import Convergence, convergence_of
from agfer_bench.comparison.learning_curves import SPAN
from agfer_bench.errors import UserError
from agfer_bench.files import write_text
from agfer_bench.plugin.catalogue import Catalogue, is_classifier
from agfer_bench.progress import Reporter
from agfer_bench.protocol import Protocol, fingerprint
from agfer_bench.report.convergence_table import frame_of, to_json, to_markdown
from agfer_bench.report.paper.convergence import curve_plate
from agfer_bench.report.paper.write import write_plate
from agfer_bench.run.runner import run
from agfer_bench.run.settings import RunSettings
from agfer_bench.text import to_csv, visible

TIMES = 3
"""Times the protocol's epochs that a training has at most, unless the user says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked beside the run itself."""

    cap: int | None = None
    """Most epochs; None for `TIMES` those of the protocol."""
    to: Sequence[float] = ()
    """Accuracies, 0..1, whose costs are told; empty for parts of the way to base's."""


def read_accuracies(text: str | None) -> tuple[float, ...]:
    """Read `60,70,80` as accuracies, 0..1.

    Raises:
        UserError: It is not a list of numbers.
    """
    if text is None:
        return ()
    try:
        found = tuple(float(part) / 100 for part in text.split(",") if part.strip())
    except ValueError:
        found = ()
    if not found:
        raise UserError(f"--to {text}: give accuracies in per cent, as in --to 60,70,80")
    return found


def long_protocol(protocol: Protocol, cap: int | None = None) -> Protocol:
    """Return the protocol of trainings that last until the cap, at a constant rate.

    A cosine would tie the curve to the cap: its learning rate, and with it the loss, falls the
    later the longer training lasts. The warm-up has as many steps as in the protocol.

    Args:
        protocol: That of an ordinary run.
        cap: Most epochs; None for `TIMES` as many, and at least as many as a plateau takes.

    Raises:
        UserError: The cap is below the protocol's epochs, or below what a plateau takes.
    """
    epochs, least = protocol.epochs, 2 * SPAN
    if cap is None:
        cap = max(TIMES * epochs, least)
    if cap < epochs:
        raise UserError(
            f"--cap {cap} is below the {epochs} epochs of the protocol: give {epochs} or more, or "
            f"fewer --epochs ({TIMES * epochs} is the default)"
        )
    if cap < least:
        raise UserError(f"--cap {cap}: a plateau takes at least {least} epochs to be seen")
    return protocol.with_settings(
        {
            "epochs": cap,
            "schedule": "constant",
            "warmup": round(protocol.warmup * epochs / cap, 4),  # as people read it
            "curve_every": 1,
        }
    )


def converge(
    settings: RunSettings, catalogue: Catalogue, reporter: Reporter, asked: Asked
) -> tuple[Convergence, str]:
    """Train base and blocks to the cap, and judge head start and ceiling.

    Args:
        settings: What to run; its protocol is that of an ordinary run. Nothing is timed, and no
            second data set is tested on.
        catalogue: What plugins offer.
        reporter: Hears of progress.
        asked: The cap, and accuracies.

    Returns:
        What was found, and the name of the run's folder.

    Raises:
        UserError: As `run`; or the cap is too small, a module is no network, or there is nothing
            to compare.
    """
    others = [one.label for one in settings.modules if is_classifier(one)]
    if others:
        are, them = ("has", "it") if len(others) == 1 else ("have", "them")
        raise UserError(
            f"{', '.join(others)} {are} no epochs, and so no learning curve: leave {them} out of "
            "--modules"
        )
    if len(settings.modules) < 2:
        raise UserError("converge holds blocks against base: name a block with --modules")
    protocol = long_protocol(settings.protocol, asked.cap)
    _check(asked.to)
    record, folder = run(
        replace(settings, protocol=protocol, test=None, timing="skip"), catalogue, reporter
    )
    return convergence_of(record, settings.protocol.epochs, asked.to), folder.name


def _check(to: Sequence[float]) -> None:
    """Find accuracies that are none before any training; chance is known only with the data."""
    for accuracy in to:
        if not 0 < accuracy < 1:
            raise UserError(f"--to {100 * accuracy:g}: give accuracies between 0 and 100 per cent")


def write(found: Convergence, run_name: str, out: Path) -> Path:
    """Write tables, curves and data.

    Returns:
        The folder: the same for the same run, epochs and accuracies.

    Raises:
        UserError: The folder cannot be written.
    """
    name = fingerprint([run_name, found.epochs, found.accuracies])[:10]
    folder = out / f"convergence-{name}"
    write_text(folder / "table.md", visible(to_markdown(found)))
    write_text(folder / "trainings.csv", to_csv(frame_of(found)))
    content = {"run": run_name, **to_json(found)}
    write_text(folder / "convergence.json", json.dumps(content, indent=1) + "\n")
    write_plate(curve_plate(found), folder, drawn=found.record.drawn)
    return folder
