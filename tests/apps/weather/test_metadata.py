"""What stands beside the samples of a photograph: a profile says which colors they are; EXIF and
texts, right or wrong, change nothing."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, TiffTags

from functions.apps.weather import Garment, extract_colors
from functions.apps.weather.palette import palette
from functions.apps.weather.tables import Tables
from functions.providers.files import files_at

from . import profiles
from .profiles import ADOBE, P3, SRGB, Primaries, cmyk_profile, gray_profile, rgb_profile

RED, CLEAR = (200, 30, 40), (0, 255, 0)
JACKET, COAT, ORANGE = (201, 62, 61), (69, 137, 71), (219, 125, 59)


def one_color(
    color: tuple[int, ...] | int, mode: str = "RGB", file_format: str = "PNG", **options: object
) -> bytes:
    out = io.BytesIO()
    image = Image.new(mode, (64, 48), color)
    image.save(out, file_format, **options)
    return out.getvalue()


def color_of(content: bytes) -> tuple[int, ...]:
    """The largest color."""
    return tuple(bytes.fromhex(palette(io.BytesIO(content), 1)[0]["hex"][1:]))


def off(found: tuple[int, ...], expected: tuple[int, ...]) -> int:
    return max(abs(a - b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("color", "shown"),
    [(JACKET, (220, 40, 50)), (COAT, (28, 140, 60)), (ORANGE, (235, 120, 31))],
)
def test_a_photograph_of_a_phone_has_the_colors_that_a_viewer_shows(
    color: tuple[int, ...],
    shown: tuple[int, ...],
    tables: Tables,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEATHER_FILES", str(tmp_path / "files"))
    content = one_color(color, icc_profile=rgb_profile(P3))
    files_at(str(tmp_path / "files")).write("pictures/p3.png", content, "image/png")

    result = extract_colors(Garment(garment="p3", image="file:p3.png"))

    assert isinstance(result["colors"], list)
    (found,) = result["colors"]
    assert off(tuple(bytes.fromhex(found["hex"][1:])), shown) <= 2


LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}


@pytest.mark.parametrize("primaries", [P3, ADOBE, SRGB], ids=["P3", "Adobe RGB", "sRGB"])
@pytest.mark.parametrize("file_format", [*LOSSLESS, "JPEG"])
@settings(max_examples=30)
@given(color=st.tuples(*[st.integers(0, 255)] * 3))
def test_colors_are_those_of_the_profile(
    file_format: str, primaries: Primaries, color: tuple[int, ...]
) -> None:
    options = LOSSLESS.get(file_format, {"quality": 100, "subsampling": 0})
    content = one_color(color, "RGB", file_format, icc_profile=rgb_profile(primaries), **options)
    coded = Image.open(io.BytesIO(content)).getpixel((5, 5))  # a JPEG rounds

    assert isinstance(coded, tuple)
    assert off(color_of(content), profiles.in_srgb(coded, primaries)) <= 4


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_a_picture_keeps_its_transparency_beside_its_profile(mode: str) -> None:
    image = Image.new("RGBA", (40, 40), (*CLEAR, 0))
    image.paste((*JACKET, 255), (0, 0, 40, 10))
    if mode == "P":
        image = image.quantize(4)
    out = io.BytesIO()
    image.save(out, "PNG", icc_profile=rgb_profile(P3))

    (found,) = palette(out, 3)

    assert off(tuple(bytes.fromhex(found["hex"][1:])), (220, 40, 50)) <= 2
    assert found["share"] == 1.0


@pytest.mark.parametrize(("mode", "sample"), [("L", 55), ("LA", (55, 255)), ("I;16", 55 * 257)])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_gray_has_its_profile_too(mode: str, sample: int, gamma: float) -> None:
    content = one_color(sample, mode, icc_profile=gray_profile(gamma))

    shown = round(255 * profiles.encoded((55 / 255) ** gamma))
    assert off(color_of(content), (shown,) * 3) <= 2


def test_gray_in_a_profile_of_colors_is_gray() -> None:
    content = one_color(128, "L", icc_profile=rgb_profile(P3, gamma=1.0))

    assert off(color_of(content), (188, 188, 188)) <= 2


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_inks_are_those_of_the_profile(file_format: str) -> None:
    profile = cmyk_profile((128, 128 + 60, 128))
    content = one_color((255, 0, 0, 0), "CMYK", file_format, icc_profile=profile)

    assert off(color_of(content), (206, 63, 122)) < 9


WHOLE = rgb_profile(P3)
NO_PROFILES = {
    "empty": b"",
    "no profile": b"x" * 200,
    "cut off": WHOLE[:200],
    "cut off in its tags": WHOLE[:-60],
    "without primaries": WHOLE.replace(b"rXYZ", b"xxxx"),
    "of gray": gray_profile(1.0),
    "of inks": cmyk_profile((128, 0, 0)),
    "of Lab": WHOLE.replace(b"RGB XYZ ", b"Lab XYZ "),
    "of a link between devices": WHOLE.replace(b"mntr", b"link"),
    "of names": WHOLE.replace(b"mntr", b"nmcl"),
    "long": WHOLE + bytes(2_000_000),
    "long and none": bytes(2_000_000),
}


@pytest.mark.parametrize("profile", NO_PROFILES)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_profile_that_is_none_costs_no_picture_its_colors(profile: str, file_format: str) -> None:
    content = one_color(JACKET, "RGB", file_format, icc_profile=NO_PROFILES[profile])

    expected = [JACKET, *([(220, 40, 50)] if profile == "long" else [])]
    assert min(off(color_of(content), color) for color in expected) < 6


@pytest.mark.parametrize("damaged", [b"p\0\0not zlib", b"p\0\0" + zlib.compress(WHOLE)[:50]])
def test_a_png_s_profile_that_can_t_be_unpacked_costs_nothing(damaged: bytes) -> None:
    chunk = struct.pack(">I", len(damaged)) + b"iCCP" + damaged
    plain = one_color(RED)
    head = 8 + 25  # signature and header
    checked = chunk + struct.pack(">I", zlib.crc32(b"iCCP" + damaged))

    assert color_of(plain[:head] + checked + plain[head:]) == RED
    assert color_of(plain[:head] + chunk + b"\0\0\0\0" + plain[head:]) == RED  # no right checksum


@given(st.data())
def test_no_damage_of_a_profile_costs_a_picture(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([WHOLE, gray_profile(2.2), cmyk_profile((128, 200, 90))]))
    profile = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=9)):
        profile[at] ^= data.draw(st.integers(1, 255))
    pictures: list[tuple[tuple[int, ...] | int, str]]
    pictures = [(RED, "RGB"), (60, "L"), ((9, 99, 9, 0), "CMYK")]
    color, mode = data.draw(st.sampled_from(pictures))
    content = one_color(color, mode, "TIFF", icc_profile=bytes(profile))

    assert palette(io.BytesIO(content), 2)[0]["share"] > 0


TAGS = st.sampled_from(sorted(TiffTags.TAGS_V2))
ORIENTATION = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(">HHI4s", tag, kind, count, value)


def exif(*entries: bytes) -> bytes:
    """EXIF of these entries, in order of their tags."""
    head = b"MM\0*\0\0\0\x08" + struct.pack(">H", len(entries))
    return head + b"".join(sorted(entries)) + bytes(4) + b"\0\0\0\5\0\0\0\1" * 10


XMP_AS_TEXT = exif(ORIENTATION, entry(0x02BC, 2, 4, b"<x/>"))


def test_the_colors_of_a_photograph_do_not_depend_on_exif(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEATHER_FILES", str(tmp_path / "files"))
    content = one_color(RED, "RGB", "JPEG", exif=b"Exif\0\0" + XMP_AS_TEXT)
    files_at(str(tmp_path / "files")).write("pictures/xmp.jpg", content, "image/jpeg")

    result = extract_colors(Garment(garment="xmp", image="file:xmp.jpg"))
    assert isinstance(result["colors"], list)
    (found,) = result["colors"]

    assert off(tuple(bytes.fromhex(found["hex"][1:])), RED) < 3


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@given(
    TAGS,
    st.integers(0, 16),
    st.integers(0, 3) | st.just(2**31),
    st.sampled_from([b"\0\0\0\x40", b"\0\5\0\0", b"\xff\xff\xff\xff", b"a\0\0\0"]),
)
def test_no_tag_of_exif_costs_a_picture(
    file_format: str, tag: int, kind: int, count: int, value: bytes
) -> None:
    odd = exif(ORIENTATION, entry(tag, kind, count, value))
    lossless = LOSSLESS.get(file_format, {})

    assert off(color_of(one_color(RED, "RGB", file_format, exif=odd, **lossless)), RED) < 6


STRUCTURE = {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 338, 339}
STRUCTURE |= {255, 322, 323, 324, 325, 330, 347, 512, 513, 514, 529, 530, 531, 532, 34665}
"""Tags that say where the samples of a TIFF are, and of which kind."""


def tiff(*entries: bytes) -> bytes:
    """A TIFF of one red pixel of these entries too."""
    own = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2)]
    own += [(273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, 3)]
    values = {4: ">I", 3: ">Hxx"}
    every = [entry(tag, kind, n, struct.pack(values[kind], v)) for tag, kind, n, v in own]
    every = [one for one in every if one[:2] != struct.pack(">H", 258)]
    every += [entry(258, 3, 3, struct.pack(">I", 12)), *entries]
    head = b"MM\0*" + struct.pack(">I", 18) + bytes(RED) + b"\0" + struct.pack(">3H", 8, 8, 8)
    return head + struct.pack(">H", len(every)) + b"".join(sorted(every)) + bytes(64)


@given(
    TAGS.filter(lambda tag: tag not in STRUCTURE),
    st.integers(0, 16),
    st.integers(0, 3),
    st.sampled_from([b"\0\0\0\x40", b"\0\0\0\1"]),  # offsets within the file
)
def test_no_tag_beside_its_structure_costs_a_tiff(
    tag: int, kind: int, count: int, value: bytes
) -> None:
    turned = () if tag == 0x0112 else (ORIENTATION,)

    assert color_of(tiff(*turned, entry(tag, kind, count, value))) == RED


@pytest.mark.parametrize("length", [10, 3_000_000])
@pytest.mark.parametrize("packed", [True, False])
def test_no_text_of_a_png_costs_it_its_colors(length: int, *, packed: bool) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", "x" * length, zip=packed)
    texts.add_text("Comment", "y" * length, zip=packed)

    assert color_of(one_color(RED, pnginfo=texts)) == RED


def test_a_picture_that_a_camera_calls_50_megapixels_has_its_colors() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8160, 6144), RED).save(out, "JPEG", quality=20)

    assert off(color_of(out.getvalue()), RED) < 9
