"""Records changed in one thing each, and all that is then said of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.leaderboard.generated import sha

Content = dict[str, Any]
Change = Callable[[Content], None]


def put(*place: str | int, value: Any) -> Change:
    """Return a change of one value; a function is given what stood there."""

    def change(content: Content) -> None:
        part: Any = content
        for step in place[:-1]:
            part = part[step]
        part[place[-1]] = value(part[place[-1]]) if callable(value) else value

    return change


def _fold(*place: str | int, value: Any, module: int = 1) -> Change:
    return put("modules", module, "folds", *place, value=value)


def _both(*changes: Change) -> Change:
    def change(content: Content) -> None:
        for one in changes:
            one(content)

    return change


def _wrong_class(rows: list[list[int]]) -> list[list[int]]:
    """Predict another class for one image."""
    rows = copy.deepcopy(rows)
    place = next(n for n, row in enumerate(rows) if row[n])
    rows[place][place] -= 1
    rows[place][place - 1] += 1
    return rows


def _moved(rows: list[list[int]]) -> list[list[int]]:
    """Count an image in another class's row, and predict it wrongly there as well."""
    rows = copy.deepcopy(rows)
    column = next(n for n in range(2, len(rows)) if rows[0][n])
    rows[0][column] -= 1
    rows[1][column] += 1
    return rows


def _swap_test(groups: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
    """Move an image from one age group to another."""
    groups = copy.deepcopy(groups)
    first, second = list(groups)[:2]
    column = next(n for n, count in enumerate(groups[first][0]) if count)
    groups[first][0][column] -= 1
    groups[second][0][column] += 1
    return groups


def _by_name(found: dict[str, list[int]]) -> dict[str, list[int]]:
    """Name a subject in place of its number."""
    first = next(iter(found))
    return {"Anna" if number == first else number: counts for number, counts in found.items()}


def _gate(module: int = 1, **changes: Callable[[Any], Any]) -> Change:
    """Give a fold's network placebos that judge as it does, but for what is changed."""

    def change(content: Content) -> None:
        fold = content["modules"][module]["folds"][0]
        own = {name: copy.deepcopy(fold[name]) for name in ("confusion", "recognised")}
        own |= {name: changed(own[name]) for name, changed in changes.items() if name in own}
        start = [0.5] * len(content["protocol"]["slots"])
        if "start" in changes:
            start = changes["start"](start)
        fold["gate"] = {"how": "offered", "start": start, "frozen": own}

    return change


H = sha("another")
# Which of the records, what is changed in it, and all that is then said of it. The record has
# 10 modules: the second is agfer, the last a classifier, the seventh failed.
CASES: dict[str, tuple[int, Change, list[str]]] = {
    "forged fingerprint": (
        0,
        put("protocol_fingerprint", value=H),
        ["protocol_fingerprint is not that of the settings"],
    ),
    "settings changed afterwards": (
        0,
        put("protocol", "learning_rate", value=0.1),
        ["protocol_fingerprint is not that of the settings"],
    ),
    "missing fold": (
        0,
        put("modules", 1, "folds", value=lambda folds: folds[:1] + folds[2:]),
        ["agfer:reduction=1: fold 1 is missing"],
    ),
    "fold of another number": (
        0,
        _both(
            put("modules", 6, "folds", value=[]),
            put("modules", value=lambda modules: modules[:1]),
            put("modules", 0, "folds", 2, "fold", value=7),
        ),
        ["base: fold 7 is none of 0 to 2", "base: fold 2 is missing"],
    ),
    "job twice": (
        0,
        lambda content: _fold(0, "job", value=content["modules"][2]["folds"][0]["job"])(content),
        ["job {job} stands there 2 times"],
    ),
    "missing seed": (
        2,
        put("modules", 1, "repeats", value=[]),
        ["agfer:reduction=1: 1 seeds, not 2"],
    ),
    "missing fold of a seed": (
        2,
        put("modules", 1, "repeats", 0, value=lambda folds: folds[:2]),
        ["agfer:reduction=1: fold 2 of seed 1 is missing"],
    ),
    "validation images": (
        0,
        _fold(0, "validation_images", value=3),
        ["agfer:reduction=1: fold 0: confusion counts {images} images, not 3"],
    ),
    "training images": (
        0,
        _fold(0, "train_images", value=3),
        ["agfer:reduction=1: fold 0: train_confusion counts {trained} images, not 3"],
    ),
    "recognised": (
        0,
        _fold(0, "confusion", value=_wrong_class),
        ["agfer:reduction=1: fold 0: recognised does not add up to the diagonal of confusion"],
    ),
    "a subject by name": (
        0,
        _both(
            put("modules", value=lambda modules: modules[:1]),
            _fold(
                0,
                "recognised",
                module=0,
                value=_by_name,
            ),
        ),
        ["base: fold 0: recognised: Anna is no subject's number"],
    ),
    "masked": (
        0,
        _fold(0, "masked_confusion", value=_moved),
        ["agfer:reduction=1: fold 0: masked_confusion counts other images than confusion"],
    ),
    "masked without a mask": (
        1,
        lambda content: _fold(
            0, "masked_confusion", value=content["modules"][1]["folds"][0]["confusion"]
        )(content),
        ["agfer:reduction=1: fold 0: masked_confusion, and there is no mask"],
    ),
    "placebos": (0, _gate(), []),
    "placebos of other images": (
        0,
        _gate(confusion=_moved),
        ["agfer:reduction=1: fold 0: gate.frozen counts other images than confusion"],
    ),
    "placebos of other people": (
        0,
        _gate(recognised=_by_name),
        ["agfer:reduction=1: fold 0: gate.frozen tells of other subjects than recognised"],
    ),
    "placebos that tell of nobody": (
        0,
        _gate(recognised=lambda found: None),
        ["agfer:reduction=1: fold 0: gate.frozen tells of other subjects than recognised"],
    ),
    "placebos that recognise others": (
        0,
        _gate(confusion=_wrong_class),
        [
            "agfer:reduction=1: fold 0: gate.frozen does not add up to the diagonal of confusion",
        ],
    ),
    "gates of base": (
        0,
        _gate(module=0),
        ["base: fold 0: gates, and it has none that are asked about"],
    ),
    "gates of a slot that is none": (
        0,
        _gate(start=lambda means: means[:-1]),
        ["agfer:reduction=1: fold 0: gate.start tells 2 slots, not 3"],
    ),
    "a matrix of another size": (
        0,
        _fold(0, "train_confusion", value=[[1, 0], [0, 1]]),
        ["agfer:reduction=1: fold 0: a confusion matrix does not fit the classes"],
    ),
    "history": (
        0,
        _fold(0, "history", value=lambda history: history[:-1]),
        ["agfer:reduction=1: fold 0: history has 11 epochs, not 12"],
    ),
    "history of a classifier": (
        0,
        _fold(0, "history", value=[{"loss": 1, "seconds": 1}], module=9),
        ["hog-svm:reduction=9: fold 0: history has 1 epochs, not 0"],
    ),
    "negative time": (
        0,
        _fold(0, "history", 3, "seconds", value=-0.1),
        ["agfer:reduction=1: fold 0: a negative time"],
    ),
    "negative memory": (
        0,
        _fold(0, "peak_memory_bytes", value=-1),
        ["agfer:reduction=1: fold 0: a negative memory"],
    ),
    "learning curve": (
        0,
        _fold(0, "history", 3, "validation_accuracy", value=1.1),
        ["agfer:reduction=1: fold 0: a point of the learning curve is not within 0..1"],
    ),
    "class weights": (
        0,
        _fold(0, "class_weights", value=None),
        ["agfer:reduction=1: fold 0: class_weights are not as the protocol has them"],
    ),
    "class weights of fewer classes": (
        0,
        _fold(0, "class_weights", value=[1.0]),
        ["agfer:reduction=1: fold 0: class_weights do not fit the classes"],
    ),
    "micro batch": (
        0,
        _fold(0, "micro_batch", value=0),
        ["agfer:reduction=1: fold 0: a micro batch of no images"],
    ),
    "test groups": (
        0,
        _fold(0, "test_confusions", value=_swap_test),
        [
            "agfer:reduction=1: fold 0: test_confusions of young do not count 24 images",
            "agfer:reduction=1: fold 0: test_confusions of middle do not count 24 images",
        ],
    ),
    "host weights": (
        0,
        _fold(0, "host_weights_sha256", value=H),
        ["agfer:reduction=1: fold 0: host_weights_sha256 differs from other modules'"],
    ),
    "batch order": (
        0,
        _fold(0, "batch_order_sha256", value=H),
        ["agfer:reduction=1: fold 0: batch_order_sha256 differs from other modules'"],
    ),
    "host weights of a seed": (
        2,
        put("modules", 1, "repeats", 0, 1, "host_weights_sha256", value=H),
        ["agfer:reduction=1: fold 1 of seed 1: host_weights_sha256 differs from other modules'"],
    ),
    "split": (
        0,
        _fold(0, "split_sha256", value=H),
        ["agfer:reduction=1: fold 0: split_sha256 differs from other modules'"],
    ),
    "no hash": (
        0,
        _fold(0, "final_weights_sha256", value="../../x"),
        ["agfer:reduction=1: fold 0: final_weights_sha256 is not 64 hex digits"],
    ),
    "no hash of the package": (
        0,
        put("modules", 1, "package_sha256", value="A" * 64),
        ["agfer:reduction=1: package_sha256 is not 64 hex digits"],
    ),
    "no hash of the harness": (
        0,
        put("environment", "harness_sha256", value=""),
        ["environment: harness_sha256 is not 64 hex digits"],
    ),
    "no hash of the data": (
        0,
        put("data", "pixels_sha256", value=H),
        ["data: pixels_sha256 is not sha256: and 64 hex digits"],
    ),
    "threads": (
        0,
        put("environment", "threads", value=0),
        ["environment: threads are less than 1"],
    ),
    "label twice": (
        0,
        put("modules", 2, "label", value="agfer:reduction=1"),
        [
            "agfer:reduction=1: the label stands there 2 times",
            "agfer:reduction=1: the label is not made of the name and the options",
        ],
    ),
    "another's label": (
        0,
        put("modules", 2, "label", value="MINE"),
        ["MINE: the label is not made of the name and the options"],
    ),
    "another's name and options": (
        0,
        _both(
            lambda content: put("modules", 2, "name", value=content["modules"][1]["name"])(content),
            lambda content: put("modules", 2, "options", value=content["modules"][1]["options"])(
                content
            ),
        ),
        [
            "se:reduction=2: the label is not made of the name and the options",
            "se:reduction=2: name and options are those of agfer:reduction=1",
        ],
    ),
    "a curve that ends elsewhere": (
        0,
        _fold(0, "history", -1, "validation_accuracy", value=1.0),
        ["agfer:reduction=1: fold 0: the learning curve does not end in the accuracy of confusion"],
    ),
    "no modules": (0, put("modules", value=[]), ["there is no module"]),
    "no time": (0, put("finished", value="yesterday"), ["finished is no time (ISO 8601)"]),
    "local time": (
        0,
        put("finished", value="2025-06-01T00:00:00"),
        ["finished is no time in UTC"],
    ),
    "future": (
        0,
        put("finished", value="9999-12-31T23:59:59+00:00"),
        ["finished lies in the future"],
    ),
    "excluded": (
        0,
        put("data", "excluded", value={"no face": 1}),
        ["data: {read} images read less 1 excluded are not {kept} kept"],
    ),
    "more kept than read": (
        0,
        _both(
            put("data", "images_read", "anger", value=lambda n: n - 2),
            put("data", "images_read", "fear", value=lambda n: n + 2),
        ),
        ["data: more images kept than read"],
    ),
    "negative counts": (
        0,
        put("data", "excluded", value={"no face": 8, "no eye": -1}),
        ["data: negative numbers of images"],
    ),
    "test on the training's images": (
        0,
        lambda content: put("test", "fingerprint", value=content["data"]["fingerprint"])(content),
        ["test: the images are those of training"],
    ),
    "speed of a classifier": (
        0,
        lambda content: put("modules", 9, "speed", value=content["modules"][0]["speed"])(content),
        ["hog-svm:reduction=9: a classifier of its own has neither size nor speed"],
    ),
    "a time of 0": (
        0,
        put(
            *("modules", 1, "speed", "modes", "eager-fp32", "stream", 0, "rounds_ms", 0, 0), value=0
        ),
        ["agfer:reduction=1: a time or a rate that is 0 or next to it"],
    ),
    "negative size": (
        0,
        put("modules", 1, "size", "macs", value=-1),
        ["agfer:reduction=1: a negative size"],
    ),
    "block larger than the network": (
        0,
        put("modules", 1, "size", "parameters", value=1),
        ["agfer:reduction=1: more parameters in the blocks than in the whole network"],
    ),
}
