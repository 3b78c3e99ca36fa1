"""Pictures of other things than faces, on which an attention block can be judged too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from agfer_bench import DatasetSpec, FaceTable, Fit, Glance, Place, hookimpl

# NumPy and scikit-learn are imported where pictures are read: a listing must not wait for them.


def read_digits(place: Place) -> FaceTable:
    """Read scikit-learn's copy of the handwritten digits: 1,797 pictures of 8 x 8 pixels.

    Args:
        place: No folder; the pictures are written once into its cache.

    Raises:
        UserError: The cache cannot be written.
    """
    from agfer_bench_pictures.digits import digits

    return digits(place)


def read_npz(place: Place, *, part: Literal["all", "train", "val", "test"] = "all") -> FaceTable:
    """Read one file in the layout of MedMNIST.

    Args:
        place: The file; its pictures are written once into the cache.
        part: The part to keep.

    Raises:
        UserError: There is no such file, it has another layout, or the cache cannot be written.
    """
    from agfer_bench_pictures.medmnist import medmnist

    return medmnist(place, part)


def fits_npz(glance: Glance) -> Fit | None:
    """Tell whether there is a file of arrays, or one in the folder."""
    found = [name for name in glance.files if name.lower().endswith(".npz")]
    if not found:
        return None
    if glance.folder.is_file() or len(found) == 1:
        below = "" if glance.folder.is_file() else found[0]
        return Fit(share=1.0, why=f"{found[0]} is a file of arrays", below=below)
    return Fit(share=0.5, why=f"there are {len(found)} such files, and it takes one: {found[0]}")


@hookimpl
def face_datasets() -> Sequence[DatasetSpec]:
    """Offer the sets."""
    return [
        DatasetSpec(
            name="digits",
            read=read_digits,
            summary="Handwritten digits, ten classes, 8 x 8 pixels, writers unknown; no download",
            source="https://doi.org/10.24432/C50P49, by way of scikit-learn",
            licence="CC BY 4.0",
            pictures_may_be_published=True,
            needs_folder=False,
            faces=False,
            settings={"split": "image", "image_size": 32, "epochs": 3},
        ),
        DatasetSpec(
            name="npz",
            read=read_npz,
            summary="One file as MedMNIST has it: train_images, train_labels, val_..., test_...",
            source="https://medmnist.com",
            licence="as the file's own; MedMNIST: CC BY 4.0, its DermaMNIST: CC BY-NC 4.0",
            fits=fits_npz,
            faces=False,
            settings={"split": "image"},
        ),
    ]
