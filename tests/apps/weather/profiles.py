"""Color profiles (ICC.1:2022) as a test writes them, and what they mean, computed without them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Literal

Primaries = tuple[tuple[float, float, float], ...]
SRGB: Primaries = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.7141),
)
P3: Primaries = (
    (0.51512, 0.2412, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.1571, 0.06657, 0.78407),
)
ADOBE: Primaries = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)
"""X, Y and Z of red, green and blue, for the white of profiles (D50)."""
TO_SRGB = (
    (3.13386, -1.61687, -0.49061),
    (-0.97877, 1.91614, 0.03345),
    (0.07195, -0.22899, 1.40524),
)
"""From such X, Y and Z to linear sRGB."""
GAMMA = 2.2
_WHITE = (0.9642, 1.0, 0.8249)


def rgb_profile(primaries: Primaries, gamma: float = GAMMA) -> bytes:
    """A profile of three primaries and one gamma, as cameras and phones write them."""
    tags = {
        f"{name}XYZ".encode(): _xyz(values) for name, values in zip("rgb", primaries, strict=True)
    }
    curves = {f"{name}TRC".encode(): _curve(gamma) for name in "rgb"}
    return _profile(b"RGB ", b"XYZ ", tags | curves)


def gray_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk_profile(color: tuple[int, int, int]) -> bytes:
    """A profile of inks that all have this one color (Lab, in 8 bits)."""
    identity = b"".join(_s15(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    ramp = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity
    table = lut + ramp * 4 + bytes(color) * 2**4 + ramp * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table}, kind=b"prtr")


def in_srgb(color: Sequence[int], primaries: Primaries) -> tuple[int, ...]:
    """What a color with these primaries is in sRGB, cut off where that has no such color."""
    linear = [(sample / 255) ** GAMMA for sample in color]
    xyz = [sum(n * row[i] for n, row in zip(linear, primaries, strict=True)) for i in range(3)]
    flat = [sum(n * m for n, m in zip(xyz, row, strict=True)) for row in TO_SRGB]
    return tuple(round(255 * encoded(min(1.0, max(0.0, value)))) for value in flat)


def encoded(linear: float) -> float:
    """A sample of sRGB, 0 to 1."""
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _profile(
    space: bytes,
    connection: bytes,
    tags: Mapping[bytes, bytes],
    kind: Literal[b"mntr", b"prtr"] = b"mntr",
) -> bytes:
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    every = {b"desc": name, b"cprt": b"text" + bytes(4) + b"CC0\0", b"wtpt": _xyz(_WHITE), **tags}
    at, table, content = 132 + 12 * len(every), b"", b""
    for tag, value in every.items():
        table += tag + struct.pack(">II", at + len(content), len(value))
        content += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(content), b"", 0x02200000, kind, space, connection)
    dated = head + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    white = b"".join(map(_s15, _WHITE))
    return dated + white + bytes(48) + struct.pack(">I", len(every)) + table + content


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_s15, values))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def _s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
