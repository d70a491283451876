"""A photograph's colors, whatever its format; a file that is none ends its job only."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from functions.apps.weather import Garment, Upload, extract_colors, review_upload
from functions.apps.weather.palette import palette
from functions.apps.weather.tables import Tables
from functions.providers import openai
from functions.providers.files import files_at
from shared import Discard

SHIRT = Garment(garment="shirt-1", image="https://pictures.example/shirt.png", colors=3)
RED, BLUE = (200, 30, 40), (20, 40, 180)


def picture(mode: str, file_format: str, **options: object) -> bytes:
    """Three quarters red, one quarter blue."""
    image = Image.new("RGB", (80, 40), RED)
    image.paste(BLUE, (0, 0, 20, 40))
    out = io.BytesIO()
    image.convert(mode).save(out, file_format, **options)
    return out.getvalue()


def near(name: str, color: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 60 for a, b in zip(bytes.fromhex(name[1:]), color, strict=True))


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("RGB", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "WEBP"),
        ("P", "GIF"),
        ("RGB", "BMP"),
        ("RGB", "TIFF"),
        ("CMYK", "TIFF"),
    ],
)
def test_the_main_colors_come_first(mode: str, file_format: str) -> None:
    found = palette(io.BytesIO(picture(mode, file_format)), 2)

    assert near(found[0]["hex"], RED)
    assert near(found[1]["hex"], BLUE)
    assert found[0]["share"] == pytest.approx(0.75, abs=0.03)
    assert sum(color["share"] for color in found) == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_gray_pictures_have_gray_colors(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (10, 10)).save(out, "PNG")
    if mode == "LA":
        with pytest.raises(Discard, match="transparent"):
            palette(out, 2)
        return

    (color,) = palette(out, 2)
    assert color == {"hex": "#000000", "share": 1.0}


@pytest.mark.parametrize("size", [(64, 64), (199, 799), (800, 800), (2500, 1000), (1, 3000)])
@pytest.mark.parametrize(
    ("mode", "file_format"), [("I;16", "PNG"), ("I;16", "TIFF"), ("I;16B", "TIFF")]
)
def test_sixteen_bits_a_sample_are_divided(
    mode: str, file_format: str, size: tuple[int, int]
) -> None:
    out = io.BytesIO()
    Image.new(mode, size, 16384).save(out, file_format)

    assert palette(out, 2) == [{"hex": "#404040", "share": 1.0}]


@pytest.mark.parametrize("size", [(64, 64), (800, 600), (2500, 1000)])
def test_a_picture_in_lab_has_its_colors(size: tuple[int, int]) -> None:
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(Image.new("RGB", size, RED), rgb, lab, outputMode="LAB")
    assert image is not None
    out = io.BytesIO()
    image.save(out, "TIFF")

    (color,) = palette(out, 2)

    assert near(color["hex"], RED)


@pytest.mark.parametrize(("mode", "sample"), [("F", 0.8), ("F", 200.0), ("I", 2**30), ("I", 200)])
@pytest.mark.parametrize("size", [(64, 64), (800, 800)])
def test_samples_of_an_unknown_range_are_refused(
    mode: str, sample: float, size: tuple[int, int]
) -> None:
    out = io.BytesIO()
    Image.new(mode, size, sample).save(out, "TIFF")

    with pytest.raises(Discard, match="32 bits a sample, whose range is not known"):
        palette(out, 2)


@pytest.mark.parametrize("size", [(800, 600), (4000, 3000)])
@pytest.mark.parametrize(
    ("mode", "file_format"),
    [
        *(("L", f) for f in ("PNG", "TIFF", "JPEG", "BMP")),
        *(("P", f) for f in ("PNG", "TIFF", "GIF", "BMP")),
        *(("1", f) for f in ("PNG", "TIFF", "BMP")),
        *(("CMYK", f) for f in ("JPEG", "TIFF")),
        *(("RGBA", f) for f in ("PNG", "TIFF", "WEBP")),
        *(("LA", f) for f in ("PNG", "TIFF")),
    ],
)
def test_large_pictures_of_every_mode_are_read(
    mode: str, file_format: str, size: tuple[int, int]
) -> None:
    out = io.BytesIO()
    Image.new("RGBA", size, (255, 255, 255, 255)).convert("RGB").convert(mode).save(
        out, file_format
    )

    (color,) = palette(out, 2)

    assert near(color["hex"], (255, 255, 255))


def test_damaged_metadata_end_the_job_and_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x9204] = 6, b"\xff\xff\xff\xff\x00\x00\x00\x00"
    out = io.BytesIO()
    Image.new("RGB", (30, 20), RED).save(out, "JPEG", exif=exif)

    try:
        found = palette(out, 5)
    except Discard:
        return
    assert near(found[0]["hex"], RED)


def test_what_is_transparent_counts_nothing() -> None:
    image = Image.new("RGBA", (10, 10), (0, 255, 0, 0))
    image.paste((*RED, 255), (0, 0, 5, 10))
    out = io.BytesIO()
    image.save(out, "PNG")

    (color,) = palette(out, 4)

    assert color["hex"] == "#c81e28"


@pytest.mark.parametrize("side", [64, 800])
@pytest.mark.parametrize(
    ("depth", "kind", "clear", "seen", "color"),
    [
        (1, 0, b"\xff", b"\x00", "#000000"),
        (2, 0, b"\xff", b"\x55", "#555555"),
        (2, 0, b"\x55", b"\xff", "#ffffff"),
        (4, 0, b"\xff", b"\x55", "#555555"),
        (4, 0, b"\x00", b"\x33", "#333333"),
        (8, 0, b"\xff", b"\x5a", "#5a5a5a"),
        (16, 0, b"\xff\xff", b"\x80\x80", "#808080"),
        (8, 2, b"\xff\xff\xff", b"\xc8\x1e\x28", "#c81e28"),
        (16, 2, b"\xff" * 6, b"\xc8\xc8\x1e\x1e\x28\x28", "#c81e28"),
    ],
)
def test_the_transparent_color_of_a_png_counts_nothing(
    depth: int, kind: int, clear: bytes, seen: bytes, color: str, side: int
) -> None:
    channels = 3 if kind == 2 else 1
    transparent = [int.from_bytes(clear, "big") & (1 << depth) - 1] * channels
    a_row = side * depth * channels // 8 // len(clear) // 2
    rows = (b"\x00" + clear * a_row + seen * a_row) * side
    trns = struct.pack(f">{len(transparent)}H", *transparent)
    content = png(side, side, depth, kind, (b"tRNS", trns), (b"IDAT", zlib.compress(rows)))

    first = palette(io.BytesIO(content), 4)[0]

    assert (first["hex"], first["share"] > 0.95) == (color, True)


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(content: bytes) -> None:
    with pytest.raises(Discard):
        palette(io.BytesIO(content), 3)


@given(st.data())
def test_no_damage_crashes_it(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([picture("RGB", f) for f in ("PNG", "JPEG", "GIF", "WEBP")]))
    damaged = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)):
        damaged[at] ^= 0xFF
    cut = data.draw(st.integers(1, len(whole)))

    try:
        found = palette(io.BytesIO(bytes(damaged[:cut])), 3)
    except Discard:
        return
    assert all(0 < color["share"] <= 1 for color in found)


def png(width: int, height: int, depth: int, kind: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks; `kind`: 0 gray, 2 RGB, 3 palette."""

    def chunk(name: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + crc

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    every = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in every)


def bomb_png(width: int, height: int) -> bytes:
    return png(width, height, 8, 2, (b"IDAT", b""))


def bomb_gif(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x00;"


@pytest.mark.parametrize(
    "bomb",
    [
        *(bomb_png(side, side) for side in (7_300, 10_000, 20_000, 60_000)),
        bomb_png(52_000_001, 1),
        *(bomb_gif(side, side) for side in (7_300, 20_000, 65_535)),
    ],
)
def test_a_bomb_is_refused_before_it_is_unpacked(bomb: bytes) -> None:
    with pytest.raises(Discard, match="at most 52,000,000 pixels"):
        palette(io.BytesIO(bomb), 3)


@respx.mock
def test_a_photograph_is_fetched_and_its_colors_are_kept(
    tables: Tables, public_server: str
) -> None:
    respx.get(host=public_server).respond(200, content=picture("RGB", "PNG"))

    result = extract_colors(SHIRT)

    assert result["colors"] == json.loads(tables.palette("shirt-1") or "")
    assert [color["hex"] for color in json.loads(tables.palette("shirt-1") or "")] == [
        "#c81e28",
        "#1428b4",
    ]


def test_a_photograph_of_the_app_s_own_files_is_read_there(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEATHER_FILES", str(tmp_path / "files"))
    files_at(str(tmp_path / "files")).write("pictures/a/b.png", picture("RGB", "PNG"), "image/png")

    result = extract_colors(SHIRT.model_copy(update={"image": "file:a/b.png"}))

    assert result["colors"] == json.loads(tables.palette("shirt-1") or "")


@respx.mock
def test_a_page_in_place_of_a_picture_is_refused(tables: Tables, public_server: str) -> None:
    respx.get(host=public_server).respond(200, text="<html>not here</html>")

    with pytest.raises(Discard, match="no picture of a known format"):
        extract_colors(SHIRT)


@respx.mock
@pytest.mark.parametrize(
    ("flags", "flagged", "categories"),
    [
        ({"violence": False, "hate": False}, False, []),
        ({"violence": True, "hate": False}, True, ["violence"]),
        ({"violence": False}, True, ["flagged"]),
        ({"violence": True, "illicit": None}, True, ["violence"]),
        ({"violence": False, "illicit": None, "illicit/violent": None}, False, []),
        ({"illicit": None}, True, ["flagged"]),
        ({}, False, []),
    ],
)
async def test_an_upload_s_verdict_is_kept(
    flags: dict[str, bool | None], flagged: bool, categories: list[str], tables: Tables
) -> None:
    body = {"results": [{"flagged": flagged, "categories": flags}]}
    route = respx.post(f"{openai.API}/moderations").respond(200, json=body)

    upload = Upload(upload="u1", text="look", image="https://pictures.example/u1.png")
    result = await review_upload(upload)

    assert result == {"allowed": not categories, "categories": categories}
    assert tables.verdict("u1") == (",".join(categories) or "ok")
    sent = json.loads(route.calls[0].request.content)["input"]
    assert [part["type"] for part in sent] == ["text", "image_url"]
