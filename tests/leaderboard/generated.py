"""Records of runs made up without training: valid, plausible, and full of hostile text if wanted.

A ground (settings, images, folds) is shared by several runs. For each ground a few results of each
module are drawn; a run takes one of each, so that a thousand records are made in seconds.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agfer_bench.metrics import mean_recall
from agfer_bench.protocol import Protocol, load_preset
from agfer_bench.records.run import RunRecord

PAYLOADS = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror=window.hacked=1>',
    "'-window.hacked=1-'",
    "</script><script>window.hacked=1</script>",
    "</title></style><svg onload=window.hacked=1>",
    "{{7*7}}{% for x in ().__class__ %}${window.hacked=1}",
    "<!--<script>",
    "\u202egnp.exe\u2066 \u200f\u05d0\u05d1",
    "[link](javascript:window.hacked=1) | `code` | **bold**",
    "=cmd|'/c calc'!A0 &lt;b&gt; \u2028 \\u003cb\\u003e %3Cscript%3E",
    "long-" + "w" * 400,
)
"""What a stranger may write where a name is expected. None holds a control character or climbs."""

FREE = (
    *PAYLOADS,
    "../../../../etc/passwd",
    "two\nlines\r\nand\ta tab",
    "\x1b[2J\x1b]0;owned\x07 bell \x00 nothing",
    "long " * 1000,
)
"""The same where free text is expected: also with newlines, escape sequences, paths that climb."""

LINKS = ("javascript:window.hacked=1", "data:text/html,<script>window.hacked=1</script>", *FREE)
"""The same where a source is expected."""

DEVICES = (
    ("cpu", "Intel(R) Xeon(R) Processor (AVX512)", 2),
    ("cpu", "AMD EPYC 7763", 8),
    ("cuda", "NVIDIA H100 80GB HBM3", 4),
)
MODULES = ("base", "agfer", "se", "cbam", "simam", "ema", "srm", "gct", "bam", "hog-svm")
EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
BEGIN = datetime.datetime(2025, 6, 1, tzinfo=datetime.UTC)
RESULTS = 4
"""Different results of each module on each ground."""


class Text:
    """Hands out texts: as they are, or each with the next payload."""

    def __init__(self, hostile: bool, begin: int = 0) -> None:
        self._hostile = hostile
        self._count = begin

    def from_here(self, number: int) -> Text:
        """Return one that begins elsewhere, so that what it hands out is the same each time."""
        return Text(self._hostile, number)

    def name(self, plain: str) -> str:
        return self._with(plain, PAYLOADS)

    def free(self, plain: str) -> str:
        return self._with(plain, FREE)

    def link(self, plain: str) -> str:
        return self._next(LINKS) if self._hostile else plain

    def _with(self, plain: str, payloads: tuple[str, ...]) -> str:
        return f"{plain} {self._next(payloads)}" if self._hostile else plain

    def _next(self, payloads: tuple[str, ...]) -> str:
        self._count += 1
        return payloads[self._count % len(payloads)]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What the runs of one page share."""

    number: int
    protocol: Protocol
    data: dict[str, Any]
    test: dict[str, Any] | None
    images_SM: NDArray[np.int64]
    """Images of each subject and class."""
    fold_of_S: NDArray[np.int64]
    """The fold in whose validation set each subject is."""


def make_records(
    folder: Path,
    runs: int = 50,
    modules: int = 10,
    protocols: int = 3,
    hostile: bool = True,
    seed: int = 0,
) -> list[Path]:
    """Write `folder/<name>/record.json` for each run and return the paths.

    Runs take turns at the grounds and devices. Of three grounds one has a cross-database test by
    age, one photographs and no test, one two seeds.
    """
    random = np.random.default_rng(seed)
    text = Text(hostile)
    grounds = [_ground(number, text, random) for number in range(protocols)]
    names = [text.name(_plain_name(number)) if number else "base" for number in range(modules)]
    results = {
        (ground.number, number, result): _module(
            ground, number, names[number], modules, text.from_here(number), random
        )
        for ground in grounds
        for number in range(modules)
        for result in range(RESULTS)
    }
    paths = []
    for run in range(runs):
        ground = grounds[run % protocols]
        rows = [results[ground.number, m, (run + m) % RESULTS] for m in range(modules)]
        device = (run // protocols) % len(DEVICES)
        newer = (run // protocols) % 5 == 4
        rows = [_of_run(row, device, newer, random) for row in rows]
        content = _record(ground, rows, run, device, text)
        path = folder / f"run-{run:04d}" / "record.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        paths.append(path)
    return paths


def make_run(
    skills: Mapping[str, float],
    *,
    seeds: int = 3,
    draw: int = 0,
    subjects: int = 60,
    device: int = 0,
    hours: int = 0,
) -> RunRecord:
    """Return a run of five folds whose modules recognise each image with the given chance.

    Runs of one number of subjects stand on one ground, whatever else they are.

    Args:
        skills: Chance of each module, 0..1; one that begins with `hog` is a classifier.
        seeds: Trainings of each fold.
        draw: Runs of different draws hold different trainings, from the same weights and batches.
        subjects: Number of subjects.
        device: Place among `DEVICES`.
        hours: When it ended.
    """
    text = Text(False)
    ground = _ground(1, text, np.random.default_rng(0), subjects)
    ground = replace(ground, protocol=ground.protocol.model_copy(update={"seeds": seeds}))
    rows = []
    for number, (name, skill) in enumerate(skills.items()):
        random = np.random.default_rng([draw, *name.encode()])
        classifier = name.startswith("hog")
        row = _row(ground, number, name, skill, text, random, classifier=classifier)
        rows.append(_of_run(row | {"label": name, "options": {}}, device, False, random))
    return RunRecord.model_validate(_record(ground, rows, hours, device, text))


def sha(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _plain_name(number: int) -> str:
    return MODULES[number] if number < len(MODULES) else f"block-{number}"


def _ground(
    number: int, text: Text, random: np.random.Generator, subjects: int | None = None
) -> Ground:
    kind = number % 3
    changes: dict[str, Any] = {"seeds": 1, "epochs": 12, "learning_rate": 3e-4 * (1 + number)}
    if kind == 1:
        changes |= {"folds": 5, "guidance": False, "class_weights": False, "curve_every": 1}
        changes |= {"mask": text.name("default")}
    if kind == 2:
        changes |= {"seeds": 2, "width": 1.0}
        changes |= {"pretrained": f"{text.name('weights')}@sha256:{sha('weights')}"}
    protocol = load_preset("quick").with_settings(changes)
    protocol = protocol.model_copy(update={"preset": text.name("quick")} if kind else {})
    classes = [text.name(name) if kind == 2 else name for name in EMOTIONS]
    subjects = subjects or 12 * protocol.folds
    images_SM = random.integers(1, 4, (subjects, len(classes)))
    return Ground(
        number=number,
        protocol=protocol,
        data=_data(number, "synthetic" if kind != 1 else "image-folder", classes, images_SM, text),
        test=_test(classes, text) if kind == 0 else None,
        images_SM=images_SM,
        fold_of_S=random.permutation(np.arange(subjects) % protocol.folds),
    )


def _data(
    number: int, name: str, classes: list[str], images_SM: NDArray[np.int64], text: Text
) -> dict[str, Any]:
    kept = images_SM.sum(axis=0).tolist()
    return {
        "name": text.name(name),
        "options": {text.free("subjects"): len(images_SM), "light": text.free("strong")},
        "drawn": name == "synthetic",
        "fingerprint": f"sha256:{sha('data', number)}",
        "pixels_sha256": f"sha256:{sha('pixels', number)}",
        "classes": classes,
        "images_read": {c: n + 1 for c, n in zip(classes, kept, strict=True)},
        "images_kept": dict(zip(classes, kept, strict=True)),
        "excluded": {text.free("no face"): 4, text.free("no eye"): len(classes) - 4},
        "subjects": len(images_SM),
        "groups": {},
        "notes": [text.free("two images are not readable") for _ in range(3)],
    }


def _test(classes: list[str], text: Text) -> dict[str, Any]:
    """Return a second data set of three age groups, without the last class."""
    known = classes[:-1]
    groups = {text.name(group): 4 * len(known) for group in ("young", "middle", "old")}
    return {
        "name": text.name("synthetic-faces"),
        "options": {"persons": 12},
        "drawn": True,
        "fingerprint": f"sha256:{sha('test')}",
        "pixels_sha256": f"sha256:{sha('test pixels')}",
        "classes": known,
        "images_read": dict.fromkeys(known, 4 * len(groups)),
        "images_kept": dict.fromkeys(known, 4 * len(groups)),
        "excluded": {},
        "subjects": 12,
        "groups": groups,
        "notes": [text.free("no image shows surprise")],
    }


def _module(
    ground: Ground, number: int, name: str, modules: int, text: Text, random: np.random.Generator
) -> dict[str, Any]:
    classifier = 0 < number == modules - 1
    failed = number and number % 7 == 6
    skill = 0.35 + 0.04 * ((number * 3 + ground.number) % 10)
    return _row(
        ground, number, name, skill, text, random, classifier=bool(classifier), failed=bool(failed)
    )


def _row(
    ground: Ground,
    number: int,
    name: str,
    skill: float,
    text: Text,
    random: np.random.Generator,
    *,
    classifier: bool = False,
    failed: bool = False,
) -> dict[str, Any]:
    seeds = [
        [
            _fold(ground, fold, seed, skill, classifier, text, random)
            for fold in range(ground.protocol.folds)
        ]
        for seed in range(ground.protocol.seeds)
    ]
    if failed:  # after a first fold, or before any
        seeds = [seeds[0][: number // 7 % 2]]
    sizes = {"parameters": 792_239 + 137 * number, "block_parameters": 137 * number}
    plain = not number
    return {
        "kind": "classifier" if classifier else "attention",
        "label": name if plain else f"{name}:reduction={number}",
        "name": name,
        "options": {} if plain else {"reduction": number, text.free("gate"): text.free("sigmoid")},
        "distribution": "agfer-bench" if plain else text.name("agfer-bench-blocks"),
        "version": "0.1.0" if plain else text.name("0.1.0"),
        "package_sha256": sha("package", number),
        "memory_format": None if classifier else "channels_last",
        "source": text.link("arXiv:1709.01507"),
        "folds": seeds[0],
        "size": None
        if classifier or failed
        else sizes | {"macs": 12_000_000 + 5_000 * number, "layers": 41 + number},
        "speed": None,
        "repeats": seeds[1:],
        "error": text.free("fold 2: agfer-bench-blocks: forward raised") if failed else None,
    }


def _fold(
    ground: Ground,
    fold: int,
    seed: int,
    skill: float,
    classifier: bool,
    text: Text,
    random: np.random.Generator,
) -> dict[str, Any]:
    protocol, place = ground.protocol, (ground.number, fold, seed)
    inside_S = ground.fold_of_S == fold
    validation_M = ground.images_SM[inside_S].sum(axis=0)
    train_M = ground.images_SM[~inside_S].sum(axis=0)
    right_SM = random.binomial(ground.images_SM, skill)
    confusion = _confusion(validation_M, right_SM[inside_S].sum(axis=0), random)
    train_right_M = random.binomial(train_M, min(0.99, skill + 0.15))
    masked_right_M = random.binomial(validation_M, skill)
    network = not classifier
    groups = ground.test["groups"] if ground.test else {}
    test_M = np.array([4] * (len(EMOTIONS) - 1) + [0])
    return {
        "fold": fold,
        "job": sha("job", *place, random.random()),
        "train_images": int(train_M.sum()),
        "validation_images": int(validation_M.sum()),
        "confusion": confusion,
        "train_confusion": _confusion(train_M, train_right_M, random),
        "masked_confusion": _confusion(validation_M, masked_right_M, random)
        if network and protocol.guidance
        else None,
        "class_weights": [1.0] * len(EMOTIONS) if protocol.class_weights else None,
        "channel_mean": [151.6, 114.9, 91.3] if network else None,
        "channel_std": [50.6, 48.4, 45.9] if network else None,
        "history": _history(protocol, skill, confusion, random) if network else [],
        "fit_seconds": None if network else 3.0 + random.random(),
        "peak_memory_bytes": 19_801_372 if network else None,
        "peak_memory_method": "tensor-tracker" if network else None,
        "host_weights_sha256": sha("host", *place) if network else None,
        "batch_order_sha256": sha("order", *place) if network else None,
        "final_weights_sha256": sha("final", *place, random.random()) if network else None,
        "split_sha256": sha("split", ground.number, fold),
        "recognised": {str(s): right_SM[s].tolist() for s in np.flatnonzero(inside_S)},
        "micro_batch": 8 if network and fold else None,
        "micro_batch_reason": text.free("too little memory") if network and fold else None,
        "execution": "eager" if network else None,
        "execution_fallback": text.free("a block cannot be captured") if network else None,
        "test_confusions": {
            group: _confusion(test_M, random.binomial(test_M, skill), random) for group in groups
        }
        or None,
    }


def _confusion(
    images_M: NDArray[np.int64], right_M: NDArray[np.int64], random: np.random.Generator
) -> list[list[int]]:
    """Spread what was not recognised evenly over the other classes."""
    m = len(images_M)
    others = (1 - np.eye(m)) / (m - 1)
    matrix = random.multinomial(images_M - right_M, others)
    return (matrix + np.diag(right_M)).tolist()  # type: ignore[no-any-return]


def _history(
    protocol: Protocol, skill: float, confusion: list[list[int]], random: np.random.Generator
) -> list[dict[str, float | None]]:
    curve = []
    end = mean_recall(np.array(confusion))
    for epoch in range(1, protocol.epochs + 1):
        share = 1 - 0.8**epoch
        drawn = protocol.curve_every and epoch % protocol.curve_every == 0
        accuracy = 0.14 + (skill - 0.14) * share + 0.02 * random.random() if drawn else None
        if drawn and epoch == protocol.epochs:
            accuracy = end
        curve.append(
            {
                "loss": 2.0 - 1.5 * share + 0.1 * random.random(),
                "seconds": 0.3 + 0.1 * random.random(),
                "validation_accuracy": accuracy,
            }
        )
    return curve


def _of_run(
    row: dict[str, Any], device: int, newer: bool, random: np.random.Generator
) -> dict[str, Any]:
    """Return a module's row with this run's times, and the version that it had."""
    if newer:
        row = row | {"version": row["version"] + ".1", "package_sha256": sha(row["package_sha256"])}
    if row["size"] is None:
        return row
    median = (0.8 + row["size"]["block_parameters"] / 1500) / (1 + device)
    modes = {"eager-fp32": _mode(median, "eager", row, random)}
    if DEVICES[device][0] == "cuda":
        modes["tuned"] = _mode(median / 3, "graph", row, random)
    return row | {"speed": {"modes": modes}}


def _mode(
    median: float, execution: str, row: dict[str, Any], random: np.random.Generator
) -> dict[str, Any]:
    times = (median * (0.95 + 0.1 * random.random((3, 6, 5)))).round(6).tolist()
    note = row["folds"][0]["execution_fallback"]
    return {
        "precision": "fp32" if execution == "eager" else "tf32",
        "memory_format": "channels_last",
        "execution": execution,
        "fallback": note if execution != "eager" else None,
        "stream": [{"rounds_ms": rounds, "warmup": 12, "settled": True} for rounds in times],
        "offline": [{"batch_size": 8, "images_per_second": [4000 / median] * 3}],
        "offline_end": note,
        "peak_memory_bytes": 22_000_000,
        "peak_memory_method": "tensor-tracker",
        "largest_difference": 0.0 if execution == "eager" else 0.0004,
    }


def _record(
    ground: Ground, rows: list[dict[str, Any]], run: int, device: int, text: Text
) -> dict[str, Any]:
    kind, name, threads = DEVICES[device]
    state = {"load_average": 1.5, "throttling": [text.free("power cap")]}
    return {
        "schema_version": 9,
        "protocol": ground.protocol.model_dump(mode="json"),
        "protocol_fingerprint": ground.protocol.fingerprint,
        "data": ground.data,
        "test": ground.test,
        "environment": {
            "device": kind,
            # Names are few, so that some runs share a device.
            "device_name": f"{name} {PAYLOADS[device]}" if text.free("") else name,
            "threads": threads,
            "platform": text.free("Linux-6.1"),
            "python": text.free("3.11.7"),
            "harness_sha256": sha("harness"),
            "packages": {text.free("torch"): text.free("2.11.0"), "numpy": "2.4.6"},
            "revision": text.free("61164e47cfef5ec1db8136c7ccc67fa37eccad92"),
            "dirty": False,
        },
        "modules": rows,
        "problems": [text.free("agfer-bench-blocks: no module")],
        "conditions": [{"process": "own", "threads": threads, "before": state, "after": state}],
        "finished": (BEGIN + datetime.timedelta(hours=run)).isoformat(timespec="seconds"),
    }
