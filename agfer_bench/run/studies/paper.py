"""The paper's study: base and blocks at both strides, tested on a second data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agfer_bench.comparison.convergence import Convergence
from agfer_bench.errors import UserError
from agfer_bench.faces.data import FaceData, load_data
from agfer_bench.faces.decode import decode, opencv
from agfer_bench.faces.prepare import counts
from agfer_bench.network.guidance import fusion_weights
from agfer_bench.plugin.catalogue import Catalogue, is_classifier
from agfer_bench.progress import Reporter, Under
from agfer_bench.protocol import OFFICIAL, fingerprint
from agfer_bench.records.run import BASE, RunRecord
from agfer_bench.report.ablation_table import Ablation, Axis
from agfer_bench.report.paper.study import Example, Study, StudyRun
from agfer_bench.report.paper.write import write_report
from agfer_bench.run.runner import run
from agfer_bench.run.settings import RunSettings
from agfer_bench.run.studies.ablation import AXES, ablate, check_options
from agfer_bench.run.studies.convergence import Asked, converge, long_protocol

STRIDES = (16, 32)
"""The paper's host, and the one with pool5 (Table 4)."""

_BOXES = ("face", "eye", "pair", "mouth", "crop")
_PRINTED = 480
"""Longest side of a photograph in the report, in pixels."""
_EXAMPLES = 3
"""Photographs of each data set that the report shows."""


@dataclass(frozen=True, kw_only=True)
class Longer:
    """Trainings that last longer than the protocol's."""

    converge: bool = False
    """Whether the networks are trained until nothing more comes."""
    cap: int | None = None
    """Most epochs of that; None for three times the protocol's."""
    base_epochs: int | None = None
    """Epochs that base is trained for besides; None for none."""


def run_study(
    settings: RunSettings,
    catalogue: Catalogue,
    reporter: Reporter,
    *,
    ablations: Sequence[str] = (),
    longer: Longer | None = None,
    examples: bool = True,
) -> tuple[Study, Path]:
    """Run what the paper ran, or take what is done, and write the report.

    Args:
        settings: Modules, data, protocol; its stride is passed over.
        catalogue: Where modules come from.
        reporter: Hears of progress.
        ablations: Names of further comparisons (`run.studies.ablation.AXES`).
        longer: Trainings that last longer than the protocol's.
        examples: Whether the report shows photographs.

    Returns:
        The study, and the path of report.html.

    Raises:
        UserError: As `run`.
    """
    if settings.protocol.split == OFFICIAL:
        raise UserError(
            "paper repeats a study over folds, and an official split has none: use agfer-bench run "
            "--split official"
        )
    axes = [AXES[name] for name in dict.fromkeys(ablations)]
    for axis in axes:
        check_options(axis, settings)
    if longer is not None:
        _check_longer(longer, settings)
    runs, names = [], []
    for stride in STRIDES:
        protocol = settings.protocol.with_settings({"stride": stride})
        one = replace(settings, protocol=protocol, timing="keep")
        record, folder = run(one, catalogue, Under(reporter, f"stride {stride}"))
        runs.append(StudyRun(record=record))
        names.append(folder.name)
    grids, refused = _ablate(axes, settings, catalogue, reporter)
    found, why_not, converged = _converge(longer, settings, catalogue, reporter)
    long_base, long_name = _long_base(longer, settings, catalogue, reporter)
    data = load_data(settings.source, settings.protocol, reporter)
    second = None
    if settings.test is not None:
        second = load_data(settings.test, settings.protocol, reporter)
    study = Study(
        runs=tuple(runs),
        counts=counts(data.crops),
        test_counts=counts(second.crops) if second else None,
        mask=settings.mask,
        examples=tuple(_examples([data, second], settings, runs[0].record)) if examples else (),
        ablations=tuple(grids),
        refused=tuple(refused),
        convergence=found,
        no_convergence=why_not,
        long_base=long_base,
    )
    content: list[Any] = [
        names,
        [[g.axis.name, [folder for _, folder in g.runs]] for g in grids],
        examples,
    ]
    if longer is not None:
        content.append([converged, long_name])
    return study, write_report(study, settings.out / f"paper-{fingerprint(content)[:10]}")


def _check_longer(longer: Longer, settings: RunSettings) -> None:
    """Find out before any work whether trainings can last so long.

    Raises:
        UserError: The cap, or the epochs of base, are below those of the protocol.
    """
    epochs = settings.protocol.epochs
    if longer.converge:
        long_protocol(settings.protocol, longer.cap)
    if longer.base_epochs is not None and longer.base_epochs <= epochs:
        raise UserError(
            f"--base-epochs {longer.base_epochs}: give more than the {epochs} epochs of the "
            "protocol, as in --base-epochs 450 for the paper's"
        )


def _converge(
    longer: Longer | None, settings: RunSettings, catalogue: Catalogue, reporter: Reporter
) -> tuple[Convergence | None, str, str]:
    """Train the networks until nothing more comes; else say why that was not possible."""
    if longer is None or not longer.converge:
        return None, "", ""
    networks = tuple(one for one in settings.modules if not is_classifier(one))
    protocol = settings.protocol.with_settings({"stride": STRIDES[0]})
    one = replace(settings, modules=networks, protocol=protocol)
    try:
        found, name = converge(
            one, catalogue, Under(reporter, "until convergence"), Asked(cap=longer.cap)
        )
    except UserError as error:
        reporter.note(f"convergence was not judged: {error}")
        return None, f"Convergence was not judged: {error}", ""
    return found, "", name


def _long_base(
    longer: Longer | None, settings: RunSettings, catalogue: Catalogue, reporter: Reporter
) -> tuple[RunRecord | None, str]:
    """Train base alone for many epochs."""
    if longer is None or longer.base_epochs is None:
        return None, ""
    protocol = settings.protocol.with_settings({"stride": STRIDES[0], "epochs": longer.base_epochs})
    base = tuple(one for one in settings.modules if one.label == BASE)
    one = replace(settings, modules=base, protocol=protocol, test=None, timing="skip")
    record, folder = run(one, catalogue, Under(reporter, f"base, {longer.base_epochs} epochs"))
    return record, folder.name


def _ablate(
    axes: Sequence[Axis], settings: RunSettings, catalogue: Catalogue, reporter: Reporter
) -> tuple[list[Ablation], list[str]]:
    """Run the further comparisons; what cannot be compared leaves the report standing."""
    protocol = settings.protocol.with_settings({"stride": STRIDES[0]})
    grids, refused = [], []
    for axis in axes:
        try:
            grids.append(ablate(axis, replace(settings, protocol=protocol), catalogue, reporter))
        except UserError as error:
            refused.append(f"{axis.name} was not compared: {error}")
            reporter.note(refused[-1])
    return grids, refused


def _examples(
    sets: Sequence[FaceData | None], settings: RunSettings, record: RunRecord
) -> Iterator[Example]:
    """Yield a few photographs of each data set, always the same ones."""
    folds = [fold for module in record.modules for fold in module.folds]
    means = [fold.channel_mean for fold in folds if fold.channel_mean is not None]
    mean = np.asarray(means[0] if means else (127.5,) * 3)
    weights = fusion_weights(settings.mask, settings.protocol.alpha)
    for data in sets:
        for row in _chosen(data) if data else ():
            assert data is not None
            name = data.names[row]
            crop = np.asarray(data.crops.pixels[row])
            # About the channels' means, since the network's input is centred before it is fused.
            fused = (crop - mean) * weights[:, :, None] + mean
            photograph, scale = _small((data.root / name).read_bytes())
            yield Example(
                name=name,
                data=data.record.name,
                emotion=data.record.classes[data.labels[row]],
                photograph=photograph,
                boxes=_boxes(data.crops.table.iloc[row], scale),
                crop=crop,
                fused=np.clip(fused + 0.5, 0, 255).astype(np.uint8),
            )


def _chosen(data: FaceData) -> list[int]:
    """Choose rows of different emotions and, as far as can be, different people, at their apex."""
    table = data.crops.table
    emotions = [name for name in data.record.classes if name != "neutral"][::2][:_EXAMPLES]
    rows = []
    for number, emotion in enumerate(emotions):
        of_emotion = np.flatnonzero(table["emotion"] == emotion)
        row = of_emotion[int((number + 0.5) / len(emotions) * len(of_emotion))]
        sequence = table["sequence"].iloc[row]
        if isinstance(sequence, str):
            row = np.flatnonzero(table["sequence"] == sequence)[-1]
        rows.append(int(row))
    return rows


def _small(data: bytes) -> tuple[NDArray[np.uint8], float]:
    """Decode a photograph for print: at most so many pixels a side, and the factor to get there."""
    photograph = decode(data)
    scale = min(1.0, _PRINTED / max(photograph.shape))
    if scale == 1:
        return photograph, scale
    cv2 = opencv()
    small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), scale


def _boxes(row: pd.Series[Any], scale: float) -> dict[str, tuple[int, int, int, int]]:
    """Return the boxes that were found in a photograph, in pixels of its small copy."""
    found = {}
    for part in _BOXES:
        sides = [row.get(f"{part}_{side}") for side in ("x", "y", "width", "height")]
        if all(side is not None for side in sides):
            x, y, width, height = (round(int(str(side)) * scale) for side in sides)
            found[part] = (x, y, width, height)
    return found
