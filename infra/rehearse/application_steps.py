"""The steps for artefacts of one application: each runs what it needs and carries nothing more."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ..manifest import applications, functions
from ..package import Target, build, largest
from ..upload import prepare
from .builds import sources
from .checks import check
from .lambda_steps import runtime
from .lambdas import unzip
from .tools import CACHE, bare_environment, run_tool
from .vercel import unpack
from .vercel_steps import interpreter, run_build

HEAVY = {"pictures": "PIL", "postgres": "psycopg", "encryption": "cryptography"}
"""A package of each need, by which its presence shows."""
_PALETTE = """
import io, sys
sys.path[:0] = {places!r}
from PIL import Image
from functions.apps import APPS
from functions.apps.weather.palette import palette
picture = io.BytesIO()
Image.new("RGB", (64, 64), (200, 30, 40)).save(picture, "PNG")
picture.seek(0)
print([app.name for app in APPS], palette(picture, 3)[0]["hex"], Image.__file__)
"""
EXPECTED = "['weather-fashion'] #c81e28 "


def lambda_apps() -> str:
    """The drain of each application alone: its packages, and the palette of weather's."""
    version, python = runtime()
    sizes = []
    with tempfile.TemporaryDirectory(prefix="tidegate-apps-") as made:
        for app in applications():
            drain = functions(app)["drain"]
            artefact = build(drain, Target.here(version), Path(made) / app, root=sources())
            check(artefact.zipped <= largest(drain), f"{artefact} is too large")
            tree = unzip(artefact.path, Path(made) / app / "task")
            _check_packages(app, drain.needs, {path.name for path in tree.iterdir()})
            if app == "weather":
                _run_palette(python, tree, tree)
            sizes.append(f"{app} {artefact.zipped / 2**20:.2f} MB")
    return f"each alone, weather's palette runs: {', '.join(sizes)}"


def vercel_apps() -> str:
    """`vercel build` of the upload of weather alone, whose palette runs, and of the journal."""
    _, python = interpreter()
    for app in ("weather", "trading_journal"):
        folder = CACHE / "vercel-apps" / app
        prepare(folder, app, root=sources())
        output = run_build(folder)
        task = folder.with_name(f"{app}-task")
        shutil.rmtree(task, ignore_errors=True)
        unpack(output, folder, task)
        vendored = {path.name for path in (task / "_vendor").iterdir()}
        _check_packages(app, functions(app)["api"].needs, vendored)
        if app == "weather":
            _run_palette(python, task, task, task / "_vendor")
    return "weather's palette runs in its build; the journal's has no Pillow"


def _check_packages(app: str, needs: frozenset[str], names: set[str]) -> None:
    for need, package in HEAVY.items():
        there = package in names
        check(there == (need in needs), f"{app}: {package} is {'' if there else 'not '}there")


def _run_palette(python: Path, cwd: Path, *places: Path) -> None:
    code = _PALETTE.format(places=[str(place) for place in places])
    said = run_tool([str(python), "-I", "-S", "-c", code], cwd=cwd, env=bare_environment())
    check(said.startswith(EXPECTED) and str(cwd) in said, f"weather's palette answers {said}")
