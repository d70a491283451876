"""The artefacts themselves: two builds are the same bytes, and small enough."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..contents import FUNCTIONS, Function
from ..package import LARGEST_DRAIN, PLATFORMS, RUNTIME, Target, build, snapshot
from .checks import check
from .lambda_steps import runtime
from .lambdas import unzipped
from .tools import CACHE, bare_environment, run_tool


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
    for function in FUNCTIONS.values():
        print(f"  {function.name} loads at its start: {_loads(function, folder)}")
    shutil.rmtree(folder)
    for name, arch, size in sizes:
        check(name != "drain" or size < LARGEST_DRAIN, f"drain.zip for {arch} has {size} bytes")
    told = ", ".join(f"{name} {arch} {size / 2**20:.2f} MB" for name, arch, size in sizes)
    return f"byte-identical twice: {told}"


def _loads(function: Function, folder: Path) -> str:
    """What the unzipped artefact imports when it starts, without the standard library."""
    version, python = runtime()
    if version != RUNTIME:
        return f"unknown, there is no Python {RUNTIME} here"
    arch = Target.here(version).arch
    tree = unzipped(folder / arch / "first" / f"{function.name}.zip", folder / function.name)
    code = (
        f"import sys; sys.path.insert(0, {str(tree)!r}); import {function.module}; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}"
        " - set(sys.stdlib_module_names) - {'__main__'}))"
    )
    env = bare_environment(
        AWS_LAMBDA_FUNCTION_NAME="tidegate",
        UPSTASH_REDIS_REST_URL="https://example.invalid",
        UPSTASH_REDIS_REST_TOKEN="none",  # noqa: S106 - nothing is contacted
    )
    return run_tool([str(python), "-I", "-S", "-c", code], cwd=tree, env=env).strip()
