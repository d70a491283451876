"""A picture in sRGB, whose numbers `#rrggbb` means: as browsers show it.

https://www.w3.org/TR/css-color-4/#tagged-images: the profile of a picture says which colors its
samples are (those of phones are often of Display P3); without a valid one they are sRGB.
"""

from __future__ import annotations

import io

from PIL import Image, ImageCms

_GRAY = ("1", "L", "LA")
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's modes by the names of color spaces in profiles (ICC.1:2022, 7.2.6)."""


def in_srgb(picture: Image.Image) -> Image.Image:
    """The picture in RGBA. Raises what Pillow raises for one that it can't convert."""
    if picture.mode == "LAB":  # Pillow reads it as transparent
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _converted(picture, lab).convert("RGBA")
    profile = picture.info.get("icc_profile")
    if is_deep(picture):  # Pillow cuts samples off at 255 where it should divide
        picture = picture.convert("I").point(lambda sample: sample * (1 / 256)).convert("L")
    seen = picture.convert("RGBA")
    converted = _by_profile(picture, seen, profile) if profile else None
    if converted is None:
        return seen
    converted.putalpha(seen.getchannel("A"))
    return converted


def is_deep(picture: Image.Image) -> bool:
    """True if it has 16 bits a sample of gray."""
    return picture.mode.startswith("I;16")


def _by_profile(picture: Image.Image, seen: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture's colors by its profile. None where that is damaged, or one of other samples:
    browsers pay no attention to it either."""
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[embedded.profile.xcolor_space]
        if (mode == "CMYK") is not (picture.mode == "CMYK"):
            return None
        if mode == "L" and picture.mode not in _GRAY:
            return None
        return _converted(picture if mode == "CMYK" else seen.convert(mode), embedded)
    except Exception:  # noqa: BLE001 - a stranger's bytes: it raises anything
        return None


def _converted(picture: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        picture,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,  # another one makes blacks darker
        outputMode="RGB",
    )
    if converted is None:  # only where it converts in place
        raise TypeError("no picture")
    return converted
