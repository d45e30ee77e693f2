"""Where the images of each sample are, in a table that planning writes for the steps.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from foldline.dataset.channels import PATH_SEPARATOR
from foldline.dataset.raw_table import read_raw_table
from foldline.errors import FoldlineError, listing
from foldline.io import storage

# Column of a table with the location of the images: paths relative to the root of the data set, FILE#OFFSET+LENGTH of
# records, or FILE::KEY#OFFSET+LENGTH of images in HDF5 files, joined by `channels.PATH_SEPARATOR` if there are several.
PATH = "path"


def write_locations(path: str | Path, ids: Sequence[str], locations: Sequence[Sequence[str]]) -> None:
    """Write a table of the images of each sample, sorted by id; a file with the same content is not touched.

    Args:
        path: path or URL of the CSV table, with the columns `id` and `path`.
        ids: (n_samples,).
        locations: (n_samples,), the paths of the images of each.
    """
    lines = sorted([name, PATH_SEPARATOR.join(paths)] for name, paths in zip(ids, locations, strict=True))
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["id", PATH], *lines])
    storage.write_if_changed(path, text.getvalue().encode())


def read_locations(path: str | Path) -> dict[str, str]:
    """Location of the images of each sample by id; the ids are in the first column of the table."""
    table = read_raw_table(path, [PATH], separator=",", every=True)
    return dict(zip(table.columns[table.header[0]], table.columns[PATH], strict=True))


def locations_of(ids: Sequence[str], *, images: str | None, locations: str | None) -> list[str]:
    """Location of the images of samples, as `channels.image_paths` takes it.

    Args:
        ids: (n_samples,).
        images: path of an image, with `{id}` for the sample's id and maybe `{channel}`; None if there is a table.
        locations: path or URL of a table with the columns of `write_locations`; None if `images` says it.

    Raises:
        FoldlineError: the table lacks a sample.
    """
    if locations is None:
        return [(images or "").replace("{id}", name) for name in ids]
    location_of = read_locations(locations)
    absent = [name for name in ids if name not in location_of]
    if absent:
        raise FoldlineError(
            f"{locations}: no images of id {listing(absent)}; the rows changed after the run was planned; run the same "
            "command again"
        )
    return [location_of[name] for name in ids]
