"""Names and values as users give them, resolved into what a run needs."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from agfer_bench.errors import UserError
from agfer_bench.files import cache_folder
from agfer_bench.run.request import (
    COMPARED,
    ControlsName,
    DataOptions,
    DeviceName,
    LabelsName,
    MachineOptions,
    NetworkOptions,
    OutputOptions,
    ProtocolOptions,
    SourceOptions,
    TrainingOptions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from agfer_bench.faces.data import DataSource
    from agfer_bench.plugin.catalogue import Catalogue, Chosen
    from agfer_bench.plugin.specs import AttentionSpec, DatasetSpec, ModuleSpec
    from agfer_bench.protocol import Protocol
    from agfer_bench.run.settings import RunSettings


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


DEFAULT_DATA, DEFAULT_TEST = "synthetic", "synthetic-faces"
"""What is trained and tested on where the user names nothing."""


def build_sources(
    catalogue: Catalogue, asked: DataOptions, workers: int | None
) -> tuple[DataSource, DataSource | None]:
    """Resolve `data` and `test`; the drawn test set goes with the default data alone.

    Raises:
        UserError: A data set or an option is unknown, or both are the same.
    """
    test = asked.test
    if test is None and asked.data is None:
        test = DEFAULT_TEST
    first = build_source(catalogue, asked, workers)
    if test is None or test == "none":
        return first, None
    second = build_source(catalogue, replace(asked, data=test), workers, flag="--test")
    where = [one.folder.resolve() if one.folder else None for one in (first, second)]
    if first.chosen.label == second.chosen.label and where[0] == where[1]:
        raise UserError(
            "--test is the same as --data: a network cannot be tested on what it was trained on; "
            "name another set, or --test none"
        )
    return first, second


def build_source(
    catalogue: Catalogue, asked: SourceOptions, workers: int | None, *, flag: str = "--data"
) -> DataSource:
    """Resolve a data set and what goes with it; drawn faces where none is named.

    Args:
        catalogue: What plugins offer.
        asked: The data set.
        workers: Threads that read images; None for all cores.
        flag: The flag that named it, for messages.

    Raises:
        UserError: The data set, the detector or an option of one is unknown, or the detector's
            file is none.
    """
    from agfer_bench.faces.data import DataSource
    from agfer_bench.faces.detector import choose_detector
    from agfer_bench.plugin.options import parse_choice

    data = asked.data or DEFAULT_DATA
    choice = parse_choice(data, folder=True)
    chosen = catalogue.choose_dataset(choice)
    if choice.folder == "":
        raise UserError(f"{flag} {data} names no folder after the =")
    chosen = _with_labels(chosen, asked.labels)
    detector = choose_detector(catalogue, asked.detector)
    if detector is not None and asked.cascades is not None:
        raise UserError(
            "--cascades are the paper's detectors, --detector stands in their place: give one"
        )
    return DataSource(
        chosen=chosen,
        folder=Path(choice.folder).expanduser() if choice.folder else None,
        readers=catalogue.datasets,
        cascades=asked.cascades,
        cache=cache_folder(asked.cache),
        workers=workers or cores(),
        detector=detector,
    )


def with_crop(protocol: Protocol, source: DataSource | None) -> Protocol:
    """Return the protocol with the crops of the source's detector, if it has one.

    Raises:
        UserError: The protocol names another detector, or takes images whole.
    """
    from agfer_bench.protocol import CASCADES, WHOLE, is_detector, told_crop

    detector = source.detector if source is not None else None
    if detector is None:
        if source is not None and is_detector(protocol.crop):
            raise UserError(
                f"the protocol's crops are those of the detector {told_crop(protocol.crop)}; give "
                "it with --detector"
            )
        return protocol
    if protocol.crop == WHOLE:
        raise UserError("--detector finds faces, and crop=none takes images whole: give one")
    if protocol.crop not in (CASCADES, detector.crop):
        raise UserError(
            f"--detector is {told_crop(detector.crop)}, not {told_crop(protocol.crop)}, which the "
            "protocol names"
        )
    return protocol.with_settings({"crop": detector.crop})


def _with_labels(chosen: Chosen[DatasetSpec], labels: LabelsName | None) -> Chosen[DatasetSpec]:
    """Return the data set with these labels, where it leaves a choice.

    Raises:
        UserError: It has others.
    """
    spec = chosen.entry.spec
    if labels is None or labels == ("emotions" if spec.faces else "any"):
        return chosen
    if "labels" in chosen.values:
        return replace(chosen, values=chosen.values | {"labels": labels})
    has = "emotions" if spec.faces else "classes of its own"
    raise UserError(f"--labels {labels}: {spec.name} has {has}; leave --labels out")


def settings_for(chosen: Chosen[DatasetSpec]) -> dict[str, Any]:
    """Return the protocol's settings that suit a data set, where nobody names them."""
    spec = chosen.entry.spec
    emotions = spec.faces and chosen.values.get("labels", "emotions") == "emotions"
    return {**({} if emotions else _OF_PICTURES), **spec.settings}


_OF_PICTURES = {"crop": "none", "guidance": False, "augmentation": "none"}
"""What suits pictures of anything: taken whole, and not mirrored, which may make another sign."""


def build_settings(
    catalogue: Catalogue,
    modules: str = COMPARED,
    data: DataOptions | None = None,
    protocol: TrainingOptions | None = None,
    machine: MachineOptions | None = None,
    output: OutputOptions | None = None,
    *,
    controls: ControlsName = "fast",
    save_weights: bool = False,
) -> RunSettings:
    """Resolve all that a run needs, and start trackers; `base` is added to the modules, first.

    Controls are added behind the modules.

    What is left out has the defaults of the command line.

    Raises:
        UserError: Something is unknown, missing or contradicts something else.
    """
    data, protocol = data or DataOptions(), protocol or NetworkOptions()
    machine, output = machine or MachineOptions(), output or OutputOptions()
    source, second = build_sources(catalogue, data, machine.workers)
    resolved = build_protocol(protocol, settings_for(source.chosen))
    resolved = with_crop(resolved, source)
    chosen = with_controls(catalogue, choose_rows(catalogue, modules), controls, resolved)
    check_out(output.out)

    from agfer_bench.network.build import find_pretrained
    from agfer_bench.protocol import RESCALES_DRAWN
    from agfer_bench.run.settings import RunSettings
    from agfer_bench.run.sharing import share

    named = {text.partition("=")[0].strip() for text in protocol.settings or ()}
    pretrained = protocol.pretrained if isinstance(protocol, NetworkOptions) else None
    if pretrained is not None and resolved.unit_variance and "unit_variance" in named:
        raise UserError(RESCALES_DRAWN)
    resolved, weights = find_pretrained(
        resolved, pretrained, cache_folder(data.cache), own_input="normalisation" not in named
    )
    where = prepare_device(machine.device, machine.threads)
    shares = share(resolved, where, cores=cores(), jobs=machine.jobs, threads=machine.threads)
    if machine.execution == "graph" and where.type != "cuda":
        raise UserError("--execution graph: CUDA graphs need a CUDA GPU; use --execution auto")
    resolved, pixels = guidance_mask(resolved, protocol.mask)
    for text in output.track or ():
        catalogue.track(text)
    return RunSettings(
        modules=chosen,
        source=source,
        test=second,
        protocol=resolved,
        mask=pixels,
        device=where,
        execution=machine.execution,
        micro_batch=machine.micro_batch,
        out=output.out,
        fresh=output.fresh,
        checkpoint_seconds=60 * machine.checkpoint_minutes or None,
        save_weights=save_weights,
        jobs=shares.jobs,
        threads=shares.threads,
        pretrained=weights,
    )


def choose_rows(catalogue: Catalogue, text: str) -> tuple[Chosen[ModuleSpec], ...]:
    """Resolve `--modules` where classifiers may stand as well; `base` comes first.

    Raises:
        UserError: Something is unknown or malformed.
    """
    chosen = catalogue.choose_rows(text)
    if all(one.label != "base" for one in chosen):
        chosen = [*catalogue.choose_modules("base"), *chosen]
    return tuple(sorted(chosen, key=lambda one: one.label != "base"))


def with_controls(
    catalogue: Catalogue,
    rows: tuple[Chosen[ModuleSpec], ...],
    controls: ControlsName,
    protocol: Protocol,
) -> tuple[Chosen[ModuleSpec], ...]:
    """Add the controls that are trained: a block that does nothing, and twins of each block.

    A block whose gate cannot be told has no twins; its row says why.

    Args:
        catalogue: What plugins offer.
        rows: What was asked for.
        controls: Which controls.
        protocol: Names the host, whose slots blocks are tried in.
    """
    if controls == "none":
        return rows
    from agfer_bench.plugin.catalogue import is_block
    from agfer_bench.plugin.options import CONTROL
    from agfer_bench.records.run import BASE, NULL

    asked = [one for one in rows if is_block(one) and one.entry.spec.name not in (BASE, NULL)]
    blocks = [one for one in asked if one.values[CONTROL] == "none"]
    added: list[Chosen[ModuleSpec]] = []
    if blocks and NULL in catalogue.modules:
        added += catalogue.choose_modules(NULL)
    if controls == "all":
        added += [twin for one in blocks for twin in twins_of(one, protocol)]
    labels = {one.label for one in rows}
    return (*rows, *(one for one in added if one.label not in labels))


def twins_of(block: Chosen[AttentionSpec], protocol: Protocol) -> list[Chosen[AttentionSpec]]:
    """Return those of a block's trained controls that can be built."""
    from agfer_bench.network.build import slots_of
    from agfer_bench.network.trial import try_block
    from agfer_bench.plugin.options import CONTROL

    twins = [
        replace(block, values=block.values | {CONTROL: control}) for control in ("scale", "blind")
    ]
    found = []
    for twin in twins:
        # A block without a gate has no twin; what else is wrong with it, its own row says.
        with suppress(UserError):
            try_block(twin, slots_of(protocol, classes=2))
            found.append(twin)
    return found


def choose_modules(catalogue: Catalogue, text: str) -> tuple[Chosen[AttentionSpec], ...]:
    """Resolve `--modules` where all must be networks; `base` is added and comes first.

    Raises:
        UserError: Something is unknown or malformed, or a classifier of its own.
    """
    chosen = catalogue.choose_modules(text)
    if all(one.label != "base" for one in chosen):
        chosen = [*catalogue.choose_modules("base"), *chosen]
    return tuple(sorted(chosen, key=lambda one: one.label != "base"))


def check_out(out: Path) -> None:
    """Find out before any work whether `--out` is a folder.

    Raises:
        UserError: It is a file.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder")


def prepare_device(device: DeviceName, threads: int | None) -> torch.device:
    """Choose the device and set the number of threads.

    Raises:
        UserError: CUDA is asked for and not there.
    """
    import torch

    from agfer_bench.measure.environment import choose_device

    where = choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    return where


_RESOLVED_APART = {"preset", "mask", "pretrained"}
"""Options that bear the name of a setting and are no value of it: names and files."""


def build_protocol(
    asked: ProtocolOptions, suited: Mapping[str, Any] = MappingProxyType({}), **more: Any
) -> Protocol:
    """Put a protocol together: preset or file, then `settings`, then the options that are given.

    Args:
        asked: The preset or file, and what is changed.
        suited: Settings that suit the data set, where neither file nor user names them.
        more: Further changes by the setting's name, as `speed__repeats`; None for those not given.

    Raises:
        UserError: Something is unknown or not allowed.
    """
    from agfer_bench.protocol import Protocol, load_preset, load_protocol, read_settings

    preset, file = asked.preset, asked.protocol_file
    if preset is not None and file is not None:
        raise UserError("give --preset or --protocol, not both; the file may name a preset itself")
    own = read_settings(file) if file is not None else {}
    protocol = load_protocol(file) if file is not None else load_preset(preset or "quick")
    changes: dict[str, Any] = {}
    for text in asked.settings or []:
        name, sign, value = text.partition("=")
        if not sign:
            raise UserError(f"--set {text!r}: expected NAME=VALUE")
        if name.strip() == "preset":
            raise UserError("--set preset=... would only rename the protocol; use --preset")
        changes[name.strip()] = value.strip()
    given = {field.name: getattr(asked, field.name) for field in fields(asked)}
    flags = {
        name: given[name] for name in given.keys() & Protocol.model_fields.keys() - _RESOLVED_APART
    }
    flags |= {name.replace("__", "."): value for name, value in more.items()}
    changes |= {name: value for name, value in flags.items() if value is not None}
    speed = {
        name.removeprefix("speed."): changes.pop(name)
        for name in list(changes)
        if name.startswith("speed.")
    }
    if speed:
        changes["speed"] = {**protocol.speed.model_dump(), **speed}
    named = changes.keys() | own.keys()
    changes = {name: suited[name] for name in suited.keys() - named} | changes
    protocol = protocol.with_settings(changes) if changes else protocol
    return protocol if "guidance" in {*named, *suited} else _guidance_of_host(protocol)


def _guidance_of_host(protocol: Protocol) -> Protocol:
    """Switch guidance off where nobody asked for it and the host has a batch normalisation."""
    from agfer_bench.protocol import VGG16

    if not protocol.guidance or protocol.host == VGG16:
        return protocol
    from agfer_bench.network.build import normalises_batches

    return protocol.with_settings({"guidance": False}) if normalises_batches(protocol) else protocol


def guidance_mask(protocol: Protocol, file: Path | None) -> tuple[Protocol, NDArray[np.bool_]]:
    """Return the mask, and the protocol that names it.

    Raises:
        UserError: The file is no mask of the right size, or the protocol names another.
    """
    from agfer_bench.faces.mask import default_mask, mask_digest, read_mask

    if file is None:
        if protocol.mask != "default":
            raise UserError(
                f"the protocol's mask is the file with {protocol.mask[:19]}…; give it with --mask"
            )
        return protocol, default_mask(protocol.image_size)
    mask = read_mask(file, protocol.image_size)
    digest = mask_digest(mask)
    if protocol.mask not in ("default", digest):
        raise UserError(f"--mask {file} is not the mask that the protocol names")
    return protocol.with_settings({"mask": digest}), mask
