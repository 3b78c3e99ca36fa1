"""Readers of face data sets."""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench import DatasetSpec, hookimpl
from agfer_bench_databases.image_folder import read_image_folder


@hookimpl
def face_datasets() -> Sequence[DatasetSpec]:
    """Offer the readers."""
    return [
        DatasetSpec(
            name="image-folder",
            read=read_image_folder,
            summary="<folder>/<emotion>/<image>, with metadata.csv if there is one",
            source="https://huggingface.co/docs/datasets/image_dataset#imagefolder",
        )
    ]
