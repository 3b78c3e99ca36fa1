"""Hugging Face's files: written here with pyarrow, as `datasets` writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from agfer_bench_databases.hugging_face import read_hugging_face

from agfer_bench import Place, UserError

PlaceOf = Callable[[Path | None], Place]

NAMES = ["angry", "happy", "cat"]
FEATURES = {"image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}


def _image(value: int, suffix: str = ".png") -> bytes:
    whole, data = cv2.imencode(suffix, np.full((8, 8, 3), value, np.uint8))
    assert whole
    return data.tobytes()


def _table(
    labels: list[Any], *, features: Any = FEATURES, more: dict[str, Any] | None = None
) -> pa.Table:
    images = [{"bytes": _image(20 * n), "path": f"{n}.png"} for n in range(len(labels))]
    table = pa.table({"image": images, "label": labels, **(more or {})})
    if features is None:
        return table
    told = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({"huggingface": told})


def _parquet(folder: Path, name: str, table: pa.Table) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / name)


def test_parquet_with_parts(tmp_path: Path, place: PlaceOf) -> None:
    folder = tmp_path / "set"
    _parquet(folder, "data/train-00000-of-00002.parquet", _table([0, 1, 2]))
    _parquet(folder, "data/train-00001-of-00002.parquet", _table([1, None, 7]))
    _parquet(folder, "data/test-00000-of-00001.parquet", _table([0]))
    table = read_hugging_face(place(folder))
    assert [(table.name(i), i.emotion, i.part) for i in table.images] == [
        ("test/0000-0000001.png", "anger", "test"),
        ("train/0001-0000001.png", "anger", "train"),
        ("train/0001-0000002.png", "happiness", "train"),
        ("train/0002-0000001.png", "happiness", "train"),
    ]
    assert table.notes == (
        "rows whose label is no emotion, left out: 2, first train-00000-of-00002.parquet, row 3: "
        "'2'",
        "rows without a label, left out: 1, first train-00001-of-00002.parquet, row 2",
    )
    assert table.images[2].path.read_bytes() == _image(20), "as it was, byte by byte"
    assert read_hugging_face(place(folder)) == table


def test_arrow_as_saved_to_disk(tmp_path: Path, place: PlaceOf) -> None:
    folder = tmp_path / "saved"
    for split, labels in (("train", [1, 0]), ("validation", [1])):
        part = folder / split
        part.mkdir(parents=True)
        table = _table(labels, features=None, more={"subject": ["p1", ""][: len(labels)]})
        file = str(part / "data-00000-of-00001.arrow")
        with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        (part / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
        (part / "cache-1234.arrow").write_bytes(b"of another step")
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    table = read_hugging_face(place(folder))
    assert [(i.emotion, i.part, i.subject) for i in table.images] == [
        ("happiness", "train", "p1"),
        ("anger", "train", None),
        ("happiness", "validation", "p1"),
    ]


def test_labels_that_are_names_and_images_that_are_bytes(tmp_path: Path, place: PlaceOf) -> None:
    table = pa.table({"Emotion": ["Happy", "sad", "dog", ""], "img": [_image(9, ".jpg")] * 4})
    _parquet(tmp_path, "faces.parquet", table)
    found = read_hugging_face(place(tmp_path / "faces.parquet"))
    assert [(i.emotion, i.part, i.path.suffix) for i in found.images] == [
        ("happiness", None, ".jpg"),
        ("sadness", None, ".jpg"),
    ]
    assert found.notes == (
        "rows whose label is no emotion, left out: 1, first faces.parquet, row 3: 'dog'",
        "rows without a label, left out: 1, first faces.parquet, row 4",
        "no file tells a part (train, test): there is no official split",
    )


def test_numbers_are_named_by_the_user(tmp_path: Path, place: PlaceOf) -> None:
    _parquet(tmp_path / "set", "train-0.parquet", _table([0, 1, 2], features=None))
    with pytest.raises(UserError, match="the label is the number 0, and nothing says which"):
        read_hugging_face(place(tmp_path / "set"))
    found = read_hugging_face(place(tmp_path / "set"), names="fear,-,sad")
    assert [image.emotion for image in found.images] == ["fear", "sadness"]
    with pytest.raises(UserError, match="names=fear,cat: 'cat' is none of anger"):
        read_hugging_face(place(tmp_path / "set"), names="fear,cat")


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (pa.table({"text": ["a"], "stars": [5]}), {}, "no column of labels among text .string"),
        (pa.table({"text": ["a"], "label": [5]}), {}, "no column of images among text"),
        (_table([0]), {"image": "label"}, "image=label is no column of images"),
        (_table([0]), {"subject": "who"}, "subject=who is no column"),
        (
            _table([0], features={"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}),
            {},
            "classes of label are cat, dog, none of which is an emotion",
        ),
        (_table([2]), {}, "no image of an emotion in 1 files: rows whose label is no emotion"),
    ],
)
def test_another_schema_is_one_line(
    tmp_path: Path, place: PlaceOf, table: pa.Table, options: dict[str, str], message: str
) -> None:
    _parquet(tmp_path / "set", "train.parquet", table)
    with pytest.raises(UserError, match=message) as caught:
        read_hugging_face(place(tmp_path / "set"), **options)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").glob("**/.*")), "nothing half-written is left"


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_damaged_file_is_named(tmp_path: Path, place: PlaceOf, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=f"{name} is no (Parquet|Arrow) file that can be read"):
        read_hugging_face(place(tmp_path))


def test_a_folder_without_such_files(tmp_path: Path, place: PlaceOf) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="is not laid out as Hugging Face"):
        read_hugging_face(place(tmp_path))


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, place: PlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows come a batch at a time: no more images are held than a batch has."""
    import agfer_bench_databases.hugging_face as module

    monkeypatch.setattr(module, "_BATCH", 4)
    sizes: list[int] = []
    real = pa.RecordBatch.to_pylist

    class Batch:
        def __init__(self, batch: pa.RecordBatch) -> None:
            self.batch, self.schema = batch, batch.schema

        def select(self, names: list[str]) -> Batch:
            return Batch(self.batch.select(names))

        def to_pylist(self) -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = real(self.batch)
            sizes.append(len(rows))
            return rows

    batches = module._batches
    monkeypatch.setattr(
        module, "_batches", lambda path: ((Batch(one), total) for one, total in batches(path))
    )
    _parquet(tmp_path / "set", "train.parquet", _table([n % 2 for n in range(10)]))
    assert len(read_hugging_face(place(tmp_path / "set")).images) == 10
    assert max(sizes) <= 4
    assert sum(sizes) == 10
