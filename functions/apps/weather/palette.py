"""The palette of a photograph: its main colors and their shares. Runs on the CPU, with Pillow."""

from __future__ import annotations

import warnings
from typing import BinaryIO, TypedDict

from PIL import Image, ImageFile, UnidentifiedImageError

from shared import Discard

from .srgb import in_srgb, is_deep

MOST_PIXELS = 52_000_000
"""Room for what cameras call 50 megapixels: 8,192 by 6,144 and a little less."""
SIDE = 200
"""The longest side at which colors are counted: a palette needs no more."""
OPAQUE = 128
"""Alpha from which on a pixel is seen."""
_WIDE = ("I", "F")
"""Pillow's modes of 32 bits a sample, whole numbers and floats."""
_WIDENED = {"L;2": 85, "L;4": 17}
"""By what Pillow multiplies gray samples of 2 and 4 bits, by its names of them."""
_TOO_LARGE = f"the picture is too large: at most {MOST_PIXELS:,} pixels"
_UNKNOWN_RANGE = (
    "the picture has 32 bits a sample, whose range is not known; save it with 8 or 16 bits a sample"
)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


class Color(TypedDict):
    """A color as `#rrggbb`, and its share of what is seen of the picture, 0 to 1."""

    hex: str
    share: float


def palette(source: BinaryIO, most: int) -> list[Color]:
    """The main colors of the first picture in a file, largest share first. What is transparent
    counts nothing. Raises Discard for a file that is no picture, or one that is too large."""
    raw = _small(source).tobytes()
    seen = b"".join(raw[i : i + 3] for i in range(0, len(raw), 4) if raw[i + 3] >= OPAQUE)
    count = len(seen) // 3
    if not count:
        raise Discard("the picture is transparent: it has no colors")
    reduced = Image.frombytes("RGB", (count, 1), seen).quantize(colors=most)
    table = bytes(reduced.getpalette() or [])
    shares: dict[str, int] = {}
    for index, pixels in enumerate(reduced.histogram()):
        if pixels:
            name = f"#{table[3 * index : 3 * index + 3].hex()}"
            shares[name] = shares.get(name, 0) + pixels
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return [Color(hex=name, share=round(pixels / count, 4)) for name, pixels in ordered]


def _small(source: BinaryIO) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata
            with _opened(source) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise Discard(_TOO_LARGE)
                if picture.mode in _WIDE:
                    raise Discard(_UNKNOWN_RANGE)
                _widen_transparency(picture)
                picture.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded at a fraction of its size
                # Pillow's first step of two, a fast one, can't read 16 bits a sample.
                picture.thumbnail((SIDE, SIDE), reducing_gap=None if is_deep(picture) else 2.0)
                return in_srgb(picture)
    except Discard:
        raise
    except Image.DecompressionBombError:
        raise Discard(_TOO_LARGE) from None
    except MemoryError:
        raise Discard(
            "the picture is too large: it needs more memory than its process has"
        ) from None
    except UnidentifiedImageError:
        raise Discard(f"it is no picture of a known format: {', '.join(FORMATS)}") from None
    except Exception as error:  # noqa: BLE001 - decoders of strangers' bytes raise anything
        raise Discard(f"the picture is damaged: {error}") from None


def _opened(source: BinaryIO) -> Image.Image:
    """The picture without metadata that colors do not need, whose damage Pillow takes for one of
    the picture: texts of a PNG, and EXIF, by which it would turn a TIFF."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        picture = Image.open(source, formats=FORMATS)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    picture.getexif = Image.Exif  # type: ignore[method-assign] # none at all
    return picture


def _widen_transparency(picture: Image.Image) -> None:
    """Pillow makes 8 bits of a gray PNG's 2 or 4, and leaves the transparent sample as it was."""
    tiles = picture.tile if isinstance(picture, ImageFile.ImageFile) else []
    samples = tiles[0].args if tiles else None
    sample = picture.info.get("transparency")
    if isinstance(samples, str) and samples in _WIDENED and isinstance(sample, int):
        picture.info["transparency"] = sample * _WIDENED[samples]
