"""From a chosen data set to its table of photographs, checked."""

from __future__ import annotations

from typing import Any

from agfer_bench.catalogue import Chosen
from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.specs import EMOTIONS, DatasetSpec, FaceTable, Place


def read_table(chosen: Chosen[DatasetSpec], place: Place) -> FaceTable:
    """Have the plugin read its data set.

    Raises:
        UserError: The folder is missing or not wanted, or the plugin says what is wrong with it.
        PluginError: The plugin raised something else or returned something that is no table.
    """
    spec, distribution = chosen.entry.spec, chosen.entry.distribution
    if spec.needs_folder and place.folder is None:
        raise UserError(f"--data {spec.name} needs a folder: --data {spec.name}=FOLDER")
    if not spec.needs_folder and place.folder is not None:
        raise UserError(f"--data {spec.name} takes no folder")
    try:
        table: Any = spec.read(place, **chosen.values)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(distribution, f"{spec.name}: read failed: {describe(error)}") from error
    if not isinstance(table, FaceTable):
        raise PluginError(
            distribution, f"{spec.name}: read returned {type(table).__name__}, not a FaceTable"
        )
    for image in table.images:
        try:
            table.name(image).encode()
        except UnicodeEncodeError:
            raise UserError(f"the name of {str(image.path)!a} is not UTF-8; rename it") from None
        except ValueError:
            raise PluginError(
                distribution, f"{spec.name}: {image.path} lies outside {table.root}"
            ) from None
    unknown = {image.emotion for image in table.images} - set(EMOTIONS)
    if unknown:
        raise PluginError(
            distribution, f"{spec.name}: unknown emotions {', '.join(sorted(map(str, unknown)))}"
        )
    return table
