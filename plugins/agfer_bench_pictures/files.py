"""Arrays of pictures to files in the cache: written once, whole or not at all.

The files are binary PGM and PPM, which need no image library: a header, then the pixels.

Shapes in names: N pictures, H height, W width, and 3 colours where they are not grey.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agfer_bench import FaceImage, FaceTable, Place, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STEP = 500
"""Pictures between two reports of progress."""


class Unpacking:
    """Pictures that become files below a folder of the cache, or are found there.

    Args:
        place: Has the cache.
        what: Name of the set.
        digest: Names its content: other pictures have another folder.
    """

    def __init__(self, place: Place, what: str, digest: str) -> None:
        self.place, self.what = place, what
        self.root = place.cache / what / digest

    def table(
        self,
        parts: Iterator[tuple[str, NDArray[np.uint8], NDArray[np.int64]]],
        notes: tuple[str, ...] = (),
    ) -> FaceTable:
        """Return the table of all pictures; `parts` are asked for only where files are written.

        Args:
            parts: Name of a part, (N, H, W) or (N, H, W, 3) pictures, and (N,) classes.
            notes: What is to be said of them.

        Raises:
            UserError: The cache cannot be written.
        """
        if not (self.root / _DONE).is_file():
            try:
                self._write(parts)
            except OSError as error:
                why = error.strerror or error
                raise UserError(
                    f"cannot write the pictures of {self.what} under {self.root.parent}: {why}"
                ) from None
        images = [
            FaceImage(path=path, emotion=path.parent.name)
            for path in sorted(self.root.glob("*/*/*.p?m"))
        ]
        classes = sorted({image.emotion for image in images}, key=int)
        return FaceTable(root=self.root, images=tuple(images), notes=notes, classes=tuple(classes))

    def _write(self, parts: Iterator[tuple[str, NDArray[np.uint8], NDArray[np.int64]]]) -> None:
        """Write beside the folder and rename, so that a folder of this name is always whole."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{self.root.name}-", dir=self.root.parent))
        try:
            for part, pictures, classes in parts:
                self._write_part(draft / part, pictures, classes)
            (draft / _DONE).touch()
            draft.replace(self.root)
        except OSError as error:
            # Another process was faster; it wrote the same pictures.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _write_part(
        self, folder: Path, pictures: NDArray[np.uint8], classes: NDArray[np.int64]
    ) -> None:
        total = len(pictures)
        kind, suffix = (b"P5", "pgm") if pictures.ndim == 3 else (b"P6", "ppm")
        header = kind + b"\n%d %d\n255\n" % (pictures.shape[2], pictures.shape[1])
        for name in sorted({int(one) for one in classes}):
            (folder / str(name)).mkdir(parents=True)
        for number, (picture, name) in enumerate(zip(pictures, classes, strict=True)):
            path = folder / str(int(name)) / f"{number:06d}.{suffix}"
            path.write_bytes(header + picture.tobytes())
            if number % _STEP == 0 or number + 1 == total:
                self.place.progress(f"unpacking {self.what}", number + 1, total)


_DONE = ".whole"
"""Says that all files are there."""
