"""Drawn faces: a data set without a licence, a download or a person in it.

A parametric renderer draws faces with soft shading, which go through the same detectors and crops
as photographs do. Only brows, eyes and mouth depend on the emotion.
"""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench import DatasetSpec, FaceTable, Place, hookimpl


def read(place: Place, *, subjects: int = 81, frames: int = 1, seed: int = 0) -> FaceTable:
    """Draw the faces, or find them drawn: `subjects` x 7 emotions x `frames` images of 320x240.

    Args:
        place: no folder; the images are kept under its cache.
        subjects: persons, at least 2.
        frames: frames of each sequence, at least 1, from middling to full strength; a single one
            is the strongest. Many persons teach a network more than many frames of few.
        seed: another seed draws other persons; 0 or more.

    Raises:
        UserError: an option is out of range, a folder was named, or the cache cannot be written.
    """
    # The renderer imports OpenCV and NumPy, which a listing must not wait for.
    from agfer_bench_synthetic.databases import read_synthetic

    return read_synthetic(place, subjects=subjects, frames=frames, seed=seed)


@hookimpl
def face_datasets() -> Sequence[DatasetSpec]:
    """The drawn faces."""
    return [
        DatasetSpec(
            name="synthetic",
            read=read,
            summary="Drawn faces, seven emotions: subjects x 7 x frames, nothing to download.",
            source="agfer_bench_synthetic, after FACS and its prototypes (Ekman & Friesen 1978)",
            needs_folder=False,
            drawn=True,
        )
    ]
