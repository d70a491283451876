"""The artefacts themselves: two builds are the same bytes, and small enough."""

from __future__ import annotations

import shutil

from ..contents import FUNCTIONS
from ..package import LARGEST_DRAIN, PLATFORMS, RUNTIME, Target, build, snapshot
from .checks import check
from .tools import CACHE


def packages() -> str:
    """Build each function twice for both of Lambda's architectures."""
    folder = CACHE / "twice"
    shutil.rmtree(folder, ignore_errors=True)
    root = snapshot(folder / "sources")
    sizes = []
    for arch in PLATFORMS:
        for function in FUNCTIONS.values():
            first, second = (
                build(function, Target(RUNTIME, arch), folder / arch / turn, root=root)
                for turn in ("first", "second")
            )
            print(f"  {first}")
            same = first.path.read_bytes() == second.path.read_bytes()
            check(same, f"two builds of {function.name} for {arch} differ")
            sizes.append((function.name, arch, first.zipped))
    shutil.rmtree(folder)
    for name, arch, size in sizes:
        check(name != "drain" or size < LARGEST_DRAIN, f"drain.zip for {arch} has {size} bytes")
    told = ", ".join(f"{name} {arch} {size / 2**20:.2f} MB" for name, arch, size in sizes)
    return f"byte-identical twice: {told}"
