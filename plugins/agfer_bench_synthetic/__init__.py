"""Drawn faces: data sets without a licence, a download or a person in them.

A parametric renderer draws faces with soft shading, which go through the same detectors and crops
as photographs do. Only brows, eyes and mouth depend on the emotion. They are drawn in the layouts
of OULU-CASIA and FACES and read by the readers of those, so that a run on drawn faces takes the
road of a run on photographs.
"""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench import DatasetSpec, FaceTable, Place, hookimpl

# The renderer imports OpenCV and NumPy, which a listing must not wait for: so do the functions.


def draw_oulu_casia(
    place: Place,
    *,
    subjects: int = 80,
    frames: int = 0,
    neutral_frames: int = 3,
    width: int = 320,
    height: int = 240,
    seed: int = 0,
) -> None:
    """Draw `OriginalImg/VL/Strong/P001/Anger/000.jpeg` and so on into the empty `place.folder`.

    Args:
        place: the folder, the workers, and who hears of progress.
        subjects: persons, six sequences of each, from rest to the apex of an emotion.
        frames: frames of each sequence; 0 draws lengths that differ as in the real set, 10,379
            frames at 80 subjects.
        neutral_frames: how many frames come first without an expression, as far as one is left.
        width: of a frame, pixels.
        height: of a frame, pixels.
        seed: another seed draws other persons; 0 or more.

    Raises:
        UserError: an option is out of range, or the folder is not empty or cannot be written.
    """
    from agfer_bench_synthetic.databases import draw_into
    from agfer_bench_synthetic.layouts import OuluCasia

    order = OuluCasia(
        subjects=subjects,
        frames=frames,
        neutral_frames=neutral_frames,
        width=width,
        height=height,
        seed=seed,
    )
    draw_into(place, order)


def draw_faces(
    place: Place, *, persons: int = 171, width: int = 2835, height: int = 3543, seed: int = 0
) -> None:
    """Draw `001_y_f_a_a.jpg` and so on into the empty `place.folder`: 12 portraits of each person.

    Args:
        place: the folder, the workers, and who hears of progress.
        persons: of three age groups and both sexes; 171 give the 2052 portraits of the real set.
        width: of a portrait, pixels.
        height: of a portrait, pixels.
        seed: another seed draws other persons; 0 or more.

    Raises:
        UserError: an option is out of range, or the folder is not empty or cannot be written.
    """
    from agfer_bench_synthetic.databases import draw_into
    from agfer_bench_synthetic.layouts import Faces

    draw_into(place, Faces(persons=persons, width=width, height=height, seed=seed))


def read_sequences(
    place: Place,
    *,
    subjects: int = 80,
    frames: int = 2,
    neutral_frames: int = 1,
    neutral_sequences: int = 1,
    seed: int = 0,
) -> FaceTable:
    """Draw few frames of each sequence, or find them drawn, and read them as OULU-CASIA.

    Args:
        place: no folder; the images are kept under its cache.
        subjects: persons. Many persons teach a network more than many frames of few.
        frames: frames of each sequence; 0 draws as many as the real set has.
        neutral_frames: how many of them come first at rest and are read as neutral.
        neutral_sequences: of how many of a person's six sequences the neutral frames are used; 0
            takes those of all, as the paper does.
        seed: another seed draws other persons; 0 or more.

    Raises:
        UserError: an option is out of range, a folder was named, or the cache cannot be written.
    """
    from agfer_bench_synthetic.databases import read_drawn
    from agfer_bench_synthetic.layouts import OuluCasia

    order = OuluCasia(
        subjects=subjects,
        frames=frames,
        neutral_frames=neutral_frames,
        width=320,
        height=240,
        seed=seed,
    )
    return read_drawn(
        place,
        "synthetic",
        order,
        neutral_frames=neutral_frames,
        neutral_sequences=neutral_sequences,
    )


def read_portraits(
    place: Place, *, persons: int = 18, width: int = 280, height: int = 350, seed: int = 0
) -> FaceTable:
    """Draw small portraits, or find them drawn, and read them as FACES.

    Args:
        place: no folder; the images are kept under its cache.
        persons: of three age groups and both sexes, 12 portraits of each.
        width: of a portrait, pixels.
        height: of a portrait, pixels.
        seed: another seed draws other persons; 0 or more.

    Raises:
        UserError: an option is out of range, a folder was named, or the cache cannot be written.
    """
    from agfer_bench_synthetic.databases import read_drawn
    from agfer_bench_synthetic.layouts import Faces

    order = Faces(persons=persons, width=width, height=height, seed=seed)
    return read_drawn(place, "synthetic-faces", order)


@hookimpl
def face_datasets() -> Sequence[DatasetSpec]:
    """The drawn faces."""
    return [
        DatasetSpec(
            name="synthetic",
            read=read_sequences,
            summary="Drawn faces in the layout of OULU-CASIA: subjects x 6 sequences x frames.",
            source="agfer_bench_synthetic, after FACS and its prototypes (Ekman & Friesen 1978)",
            licence="Apache License 2.0, as agfer-bench",
            pictures_may_be_published=True,
            needs_folder=False,
            drawn=True,
            layout="oulu-casia",
            draw=draw_oulu_casia,
        ),
        DatasetSpec(
            name="synthetic-faces",
            read=read_portraits,
            summary="Drawn portraits in the layout of FACES: persons of three ages x 6 x 2.",
            source="agfer_bench_synthetic, after FACS and its prototypes (Ekman & Friesen 1978)",
            licence="Apache License 2.0, as agfer-bench",
            pictures_may_be_published=True,
            needs_folder=False,
            drawn=True,
            layout="faces",
            draw=draw_faces,
        ),
    ]
