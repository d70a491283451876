"""The step for packages: two builds give equal bytes, and the sizes are within their limits."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..manifest import FUNCTIONS
from ..package import PLATFORMS, RUNTIME, Artefact, Target, build, largest
from .builds import artefacts, sources
from .checks import check
from .lambda_steps import runtime
from .lambdas import unzip
from .tools import CACHE, bare_environment, run_tool


def packages() -> str:
    """Build all functions for both of Lambda's architectures, and for x86_64 a second time."""
    again = CACHE / "again"
    for arch in PLATFORMS:
        for artefact in artefacts(Target(RUNTIME, arch)).values():
            print(f"  {artefact}")
            check(
                artefact.zipped <= largest(artefact.function),
                f"{artefact.path.name} for {arch} has {artefact.zipped} bytes",
            )
    for name, first in artefacts(Target(RUNTIME)).items():
        second = build(FUNCTIONS[name], Target(RUNTIME), again, root=sources())
        same = first.path.read_bytes() == second.path.read_bytes()
        check(same, f"two builds of {name} differ")
        print(f"  {name} loads at its start: {_loads(second, again / name)}")
    shutil.rmtree(again)
    sizes = ", ".join(
        f"{name} {arch} {artefact.zipped / 2**20:.2f} MB"
        for arch in PLATFORMS
        for name, artefact in artefacts(Target(RUNTIME, arch)).items()
    )
    return f"byte-identical twice: {sizes}"


def _loads(artefact: Artefact, folder: Path) -> str:
    """The packages that the unzipped artefact imports at its start, beyond the standard library."""
    version, python = runtime()
    if version != RUNTIME or Target.here(version) != artefact.target:
        return f"unknown, there is no Python {RUNTIME} for {artefact.target.arch} here"
    tree = unzip(artefact.path, folder)
    code = (
        f"import sys; sys.path.insert(0, {str(tree)!r}); import {artefact.function.module}; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}"
        " - set(sys.stdlib_module_names) - {'__main__'}))"
    )
    env = bare_environment(
        AWS_LAMBDA_FUNCTION_NAME="tidegate",
        UPSTASH_REDIS_REST_URL="https://example.invalid",
        UPSTASH_REDIS_REST_TOKEN="none",  # noqa: S106 - nothing is contacted
    )
    return run_tool([str(python), "-I", "-S", "-c", code], cwd=tree, env=env).strip()
