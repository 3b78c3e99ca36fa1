"""Whether photographs are none: drawn faces carry a marker, whatever reader they are read with."""

from __future__ import annotations

from agfer_bench.plugin.specs import DRAWN_MARKER, FaceTable


def is_drawn(table: FaceTable) -> bool:
    """Tell whether any image lies in or below a folder with the marker of drawn faces.

    All parents count, also those above the folder that the user named: naming a part of a drawn
    set must not make photographs of it.
    """
    folders = {table.root, *(image.path.parent for image in table.images)}
    folders = {folder.resolve() for folder in folders}
    parents = folders | {parent for folder in folders for parent in folder.parents}
    return any((folder / DRAWN_MARKER).is_file() for folder in parents)
