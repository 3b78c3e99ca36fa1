"""Data sets as Hugging Face hands them out: Parquet files, or Arrow files of `save_to_disk`.

Layouts: `data/train-00000-of-00001.parquet` and so on, `train/0000.parquet`, or one file;
`dataset_dict.json` with a folder of `data-00000-of-00001.arrow` for each split, or such a folder
alone. A column holds images (`bytes` and `path`, or bytes alone), another labels: names, or numbers
whose names stand in the file, in `dataset_info.json`, or in the option `names`.

Images are written out once into the cache, as they are. Files are read with pyarrow, in batches, so
that memory does not grow with the set; neither the package `datasets` nor the network is needed.

Source: https://huggingface.co/docs/datasets/about_dataset_features and
https://huggingface.co/docs/hub/datasets-image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agfer_bench import EMOTIONS, FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.parts import part_of
from agfer_bench_databases.tree import Notes, files_below, misfit, opened, some
from agfer_bench_databases.unpack import Written, digest_of, put, unpack_once

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".arrow")
EXPECTED = "data/train-00000-of-00001.parquet and so on, or folders of save_to_disk with *.arrow"

IMAGE_COLUMNS = ("image", "img", "pixels", "face", "picture", "jpg", "png")
LABEL_COLUMNS = ("label", "labels", "emotion", "expression", "emotions", "class", "target")
SUBJECT_COLUMNS = ("subject", "subject_id", "person", "identity")

_BATCH = 64
"""Rows that are in memory at once."""

_MAGIC = (
    (b"\xff\xd8", ".jpg"),
    (b"\x89PNG", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"P5", ".pgm"),
    (b"P6", ".ppm"),
)


def read_hugging_face(
    place: Place, *, image: str = "", label: str = "", names: str = "", subject: str = ""
) -> FaceTable:
    """Write the images out, or find them written.

    Args:
        place: The folder that was downloaded or saved, or one of its files.
        image: Column of the images; empty for the one that looks like it.
        label: Column of the labels; empty for the one that looks like it.
        names: Emotions in the order of the labels' numbers, as `anger,disgust,fear`; `-` for a
            number that is no emotion. Empty where the files tell.
        subject: Column that says who is shown; empty for one that is called so.

    Raises:
        UserError: There are no such files, they have no column of images or labels or another
            schema, no label is an emotion, something cannot be read, or the cache cannot be
            written.
    """
    notes = Notes()
    with opened(place, "hugging-face", or_file=True) as folder:
        files = _files(folder)
        if not files:
            advice = "name the folder that was downloaded; for images beside metadata use "
            raise UserError(misfit("Hugging Face", folder, EXPECTED, advice + "image-folder"))
        asked = _Asked(image=image, label=label, names=names, subject=subject)
        key = digest_of([path for path, _ in files], *_infos(files), str(asked))

        def fill(draft: Path) -> tuple[Iterator[Written], Callable[[], tuple[str, ...]]]:
            return _write(draft, folder, files, asked, place, notes), notes.lines

        unpack = unpack_once(place, "hugging-face", key, fill)
    if not unpack.images:
        why = "; ".join(unpack.notes) or "they have no row"
        raise UserError(f"{folder}: no image of an emotion in {len(files)} files: {why}")
    return FaceTable(
        root=unpack.root,
        images=tuple(
            FaceImage(
                path=unpack.root / one.name,
                emotion=one.emotion,
                part=one.part,
                subject=one.subject,
            )
            for one in unpack.images
        ),
        notes=unpack.notes,
    )


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Options, as the user gave them."""

    image: str
    label: str
    names: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Where a file keeps what is read, and what its numbers mean."""

    image: str
    label: str
    subject: str | None
    names: tuple[str, ...] | None


def _files(folder: Path) -> list[tuple[Path, str | None]]:
    """Return the data files, sorted, each with the part that its name or its folder stands for."""
    if folder.is_file():
        paths = [folder] if folder.suffix.lower() in SUFFIXES else []
    else:
        paths = [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES]
        # What `datasets` caches while it maps and filters is no data of its own.
        paths = [path for path in paths if not path.name.startswith(("cache-", "tmp"))]
    return [(path, _part(path, folder)) for path in paths]


def _part(path: Path, folder: Path) -> str | None:
    """Return the part of a file, by its name (`train-00000-of-00001`), else by its folders."""
    split = re.split(r"-[0-9]+(-of-[0-9]+)?$", path.stem)[0]
    found = part_of(split)
    if found is not None or path == folder:
        return found
    for name in reversed(path.relative_to(folder).parts[:-1]):
        found = part_of(name)
        if found is not None:
            return found
    return None


def _infos(files: Sequence[tuple[Path, str | None]]) -> list[str]:
    """Return the descriptions beside the files, on which names of labels depend."""
    found = {path.parent / "dataset_info.json" for path, _ in files}
    return [
        one.read_text(encoding="utf-8", errors="replace") for one in sorted(found) if one.is_file()
    ]


def _write(
    draft: Path,
    folder: Path,
    files: Sequence[tuple[Path, str | None]],
    asked: _Asked,
    place: Place,
    notes: Notes,
) -> Iterator[Written]:
    for number, (path, part) in enumerate(files):
        yield from _of_file(draft, path, part, number, len(files), asked, place, notes)
    if not any(part for _, part in files):
        notes.say("no file tells a part (train, test): there is no official split")


def _of_file(
    draft: Path,
    path: Path,
    part: str | None,
    number: int,
    count: int,
    asked: _Asked,
    place: Place,
    notes: Notes,
) -> Iterator[Written]:
    """Write the images of one file, batch by batch."""
    progress = f"unpacking hugging-face, file {number + 1} of {count}"
    row = 0
    columns: _Columns | None = None
    emotions: tuple[str | None, ...] | None = None
    for batch, total in _batches(path):
        if columns is None:
            columns = _columns(path, batch.schema, asked)
            emotions = _emotions(columns, path)
        wanted = [columns.image, columns.label, *([columns.subject] if columns.subject else [])]
        for values in batch.select(wanted).to_pylist():
            row += 1
            where = f"{path.name}, row {row}"
            emotion = _emotion(values[columns.label], emotions, where, notes)
            if emotion is None:
                continue
            data = _bytes(values[columns.image])
            if not data:
                notes.count("rows without an image's bytes, left out", where)
                continue
            name = f"{part or 'all'}/{number:04d}-{row:07d}{_suffix(data)}"
            put(draft, name, data)
            subject = values[columns.subject] if columns.subject else None
            yield Written(
                name=name,
                emotion=emotion,
                part=part,
                subject=None if subject in (None, "") else str(subject),
            )
        place.progress(progress, min(row, total or row), max(1, total or row))


def _batches(path: Path) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield a file's rows in batches, with the number of all rows, 0 where it is not known."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=_BATCH):
                    yield batch, file.metadata.num_rows
            return
        with pa.memory_map(str(path)) as source:
            # `save_to_disk` writes the stream format; other tools write the file format.
            try:
                opened_stream: Any = pa.ipc.open_stream(source)
                groups: Iterator[pa.RecordBatch] = iter(opened_stream)
            except pa.ArrowInvalid:
                source.seek(0)
                reader = pa.ipc.open_file(source)
                groups = (reader.get_batch(place) for place in range(reader.num_record_batches))
            for group in groups:
                for start in range(0, group.num_rows, _BATCH):
                    yield group.slice(start, _BATCH), 0
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, EOFError) as error:
        line = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path} is no {path.suffix[1:].capitalize()} file that can be read ({line}): "
            "download it again"
        ) from None


def _columns(path: Path, schema: pa.Schema, asked: _Asked) -> _Columns:
    """Find the columns of images and labels in a file's schema.

    Raises:
        UserError: There are none, or those that were asked for are not there.
    """
    import pyarrow as pa

    features = _features(path, schema)

    def is_image(name: str) -> bool:
        kind = schema.field(name).type
        if pa.types.is_struct(kind):
            fields = {kind.field(place).name for place in range(kind.num_fields)}
            return "bytes" in fields
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    def is_label(name: str) -> bool:
        kind = schema.field(name).type
        return bool(
            pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
        )

    def find(what: str, given: str, usual: Sequence[str], fits: Callable[[str], bool]) -> str:
        held = {name: str(schema.field(name).type) for name in schema.names}
        told = some((f"{name} ({kind[:40]})" for name, kind in held.items()), 8) or "no column"
        if given:
            if given not in held or not fits(given):
                raise UserError(f"{path}: {what}={given} is no column of {what}s; found {told}")
            return given
        fitting = [name for name in schema.names if fits(name)]
        best = [name for one in usual for name in fitting if name.lower() == one]
        if what == "label":
            classed = [name for name in fitting if _class_names(features, name) is not None]
            best = best or classed
        elif len(fitting) == 1:
            best = best or fitting
        if not best:
            raise UserError(
                f"{path} has another schema than is expected: no column of {what}s among {told}; "
                f"name it with {what}=COLUMN"
            )
        return str(best[0])

    label = find("label", asked.label, LABEL_COLUMNS, is_label)
    subject = asked.subject or next(
        (n for one in SUBJECT_COLUMNS for n in schema.names if n.lower() == one), None
    )
    if subject is not None and subject not in schema.names:
        raise UserError(f"{path}: subject={subject} is no column; found {some(schema.names, 8)}")
    return _Columns(
        image=find("image", asked.image, IMAGE_COLUMNS, is_image),
        label=label,
        subject=subject,
        names=_asked_names(asked.names) or _class_names(features, label),
    )


def _features(path: Path, schema: pa.Schema) -> Mapping[str, Any]:
    """Return what `datasets` says of the columns: in the file, or in the description beside it."""
    found: Any = None
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        found = found.get("info", {}).get("features")
        if not found:
            text = (path.parent / "dataset_info.json").read_text(encoding="utf-8")
            found = json.loads(text).get("features")
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _class_names(features: Mapping[str, Any], column: str) -> tuple[str, ...] | None:
    """Return the names of a ClassLabel's numbers; None where the column is none."""
    feature = features.get(column)
    names = feature.get("names") if isinstance(feature, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def _asked_names(text: str) -> tuple[str, ...] | None:
    """Return the names of the option, each an emotion or `-`.

    Raises:
        UserError: One is neither.
    """
    if not text:
        return None
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name != "-" and canonical_emotion(name) is None:
            raise UserError(f"names={text}: {name!r} is none of {', '.join(EMOTIONS)}, nor -")
    return names


def _emotions(columns: _Columns, path: Path) -> tuple[str | None, ...] | None:
    """Return the emotion of each number; None where labels are names themselves.

    Raises:
        UserError: No name is an emotion.
    """
    if columns.names is None:
        return None
    found = tuple(canonical_emotion(name) for name in columns.names)
    if not any(found):
        raise UserError(
            f"{path}: the classes of {columns.label} are {some(columns.names, 6)}, none of which "
            f"is an emotion; say in their order what they are: names={','.join(EMOTIONS[:3])},..."
        )
    return found


def _emotion(
    label: object, emotions: tuple[str | None, ...] | None, where: str, notes: Notes
) -> str | None:
    """Return a row's emotion, or count why it has none.

    Raises:
        UserError: Labels are numbers, and nothing tells what they mean.
    """
    if label is None or label == "":
        notes.count("rows without a label, left out", where)
        return None
    text = str(label).strip()
    if text.lstrip("-").isdigit():
        if emotions is None:
            raise UserError(
                f"{where}: the label is the number {text}, and nothing says which emotion that is: "
                f"name them in their order, as in names={','.join(EMOTIONS[:3])}"
            )
        number = int(text)
        found = emotions[number] if 0 <= number < len(emotions) else None
    else:
        found = canonical_emotion(text)
    if found is None:
        notes.count("rows whose label is no emotion, left out", f"{where}: {text!r}")
    return found


def _bytes(value: object) -> bytes | None:
    """Return an image's bytes: of a struct, or as they are."""
    data = value.get("bytes") if isinstance(value, dict) else value
    return data if isinstance(data, bytes) else None


def _suffix(data: bytes) -> str:
    """Return the suffix that an image's first bytes call for."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), ".img")
