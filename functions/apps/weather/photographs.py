"""A garment's photograph, from its address to its colors."""

from __future__ import annotations

import asyncio
import json
import tempfile
from typing import BinaryIO

from functions.providers.files import OWN, files_at, own_file
from shared.fetch import download

from .palette import palette
from .payloads import Garment
from .settings import files_location
from .tables import Tables

MOST_BYTES = 20 * 2**20
ACCEPT = "image/jpeg, image/png, image/webp, image/*;q=0.5"


def extract(garment: Garment, tables: Tables) -> dict[str, object]:
    """The garment's main colors, kept in the tables. Blocks: it computes."""
    with tempfile.TemporaryFile() as stream:
        _copy(garment.image, stream)
        stream.seek(0)
        colors = palette(stream, garment.colors)
    tables.set_palette(garment.garment, json.dumps(colors))
    return {"colors": colors}


def _copy(image: str, into: BinaryIO) -> None:
    if image.startswith(OWN):
        into.write(own_file(files_at(files_location()), "pictures", image))
    else:
        asyncio.run(download(image, into, max_bytes=MOST_BYTES, accept=ACCEPT))
