"""A photograph is decoded in a process whose memory is bounded: a picture of some kilobytes that
holds gigabytes ends its own job, and a large photograph of a phone has its colors."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from functions.apps.weather import Garment, app, extract_colors
from functions.apps.weather.tables import Tables
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.isolate import idle
from shared.store import Store
from shared.store.views import JobView
from shared.testing import embedded_store

RED = (200, 30, 40)
PHONE = (8160, 6144)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """An empty store on the machine's clock; no child is left behind."""
    async with embedded_store() as opened:
        yield opened
        await idle.end_idle()


@pytest.fixture
def pictures(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the application's own pictures."""
    monkeypatch.setenv("WEATHER_FILES", str(tmp_path))
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


async def extracted(store: Store, *names: str) -> list[JobView]:
    """The jobs of these pictures after one drain."""
    garments = [Garment(garment=name.partition(".")[0], image=f"file:{name}") for name in names]
    handles = [await extract_colors.enqueue(garment) for garment in garments]
    await Drain(store, Registry([app]), Budget.of(60), patience=0).run([extract_colors.queue])
    return [await handle.status() for handle in handles]


def bomb(side: int) -> bytes:
    """A PNG of so many white pixels squared, four bytes each, in a thousandth of them."""
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    packer, row = zlib.compressobj(1), b"\0" + b"\xff" * 4 * side
    content = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    parts = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


async def test_a_picture_that_needs_more_memory_than_a_function_has_ends_its_own_job(
    store: Store, pictures: Path
) -> None:
    (pictures / "bomb.png").write_bytes(bomb(7071))
    Image.new("RGB", (80, 40), RED).save(pictures / "shirt.png")

    large, small = await extracted(store, "bomb.png", "shirt.png")

    assert (large.state, small.state) == ("dead", "completed")
    assert "needs more memory than its process has" in large.errors[-1]["message"]


@pytest.mark.parametrize(
    "form",
    [{"progressive": False}, {"progressive": True}, {"progressive": True, "subsampling": "4:4:4"}],
)
async def test_a_photograph_of_50_megapixels_has_its_colors(
    store: Store, pictures: Path, form: dict[str, Any]
) -> None:
    photograph = Image.new("RGB", PHONE, RED)
    photograph.save(pictures / "shirt.jpg", quality=85, **form)

    (job,) = await extracted(store, "shirt.jpg")

    assert job.state == "completed", job.errors
    assert len(job.result["colors"]) == 1
