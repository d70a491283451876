"""A garment's photograph, from its address to its colors."""

from __future__ import annotations

import asyncio
import json
import tempfile

from shared.fetch import download

from .palette import palette
from .payloads import Garment
from .tables import Tables

MOST_BYTES = 20 * 2**20
ACCEPT = "image/jpeg, image/png, image/webp, image/*;q=0.5"


def extract(garment: Garment, tables: Tables) -> dict[str, object]:
    """The garment's main colors, kept in the tables. Blocks: it computes."""
    with tempfile.TemporaryFile() as stream:
        asyncio.run(download(garment.image, stream, max_bytes=MOST_BYTES, accept=ACCEPT))
        stream.seek(0)
        colors = palette(stream, garment.colors)
    tables.set_palette(garment.garment, json.dumps(colors))
    return {"colors": colors}
