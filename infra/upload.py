"""The folder that `vercel deploy` uploads, of exactly what a deployment serves:
`python -m infra.upload [--app weather] [--hobby]` makes build/vercel/weather.

It holds the sources that the API function ships (infra/manifest.py), vercel.json, and a project
file with the locked versions of what these applications need. Nothing else of this checkout goes
with it: no file without a suffix, none that git does not track.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tomllib
from pathlib import Path

from .manifest import ROOT, Function, PackagingError, functions, locked, own_files
from .package import ALL, RUNTIME, check_committed

OUT = ROOT / "build" / "vercel"
_PROJECT = """\
[project]
name = "{name}"
version = "{version}"
requires-python = "{python}"
dependencies = {dependencies}

[tool.uv]
package = false

[tool.vercel]
entrypoint = "{entrypoint}"
"""


def prepare(folder: Path, app: str | None = None, *, hobby: bool = False, root: Path = ROOT) -> int:
    """Make the folder anew, of the sources in `root`; how many of them it holds. Raises
    PackagingError for an unknown application, and for a link."""
    function = functions(app)["api"]
    sources = list(own_files(function, root))
    shutil.rmtree(folder, ignore_errors=True)
    for relative in sources:
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / relative, folder / relative)
    config = ROOT / "infra" / "vercel" / "hobby.json" if hobby else ROOT / "vercel.json"
    shutil.copyfile(config, folder / "vercel.json")
    (folder / "pyproject.toml").write_text(_project(function, app), "utf-8")
    (folder / ".python-version").write_text(f"{RUNTIME}\n", "utf-8")
    return len(sources)


def _project(function: Function, app: str | None) -> str:
    """The project file of the upload: Vercel's builder installs what it names."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = ours["project"]
    return _PROJECT.format(
        name=f"{project['name']}-{(app or ALL).replace('_', '-')}",
        version=project["version"],
        python=project["requires-python"],
        dependencies=json.dumps([str(requirement) for requirement in locked(function)], indent=4),
        entrypoint=ours["tool"]["vercel"]["entrypoint"],
    )


def main(arguments: list[str] | None = None) -> int:
    """Make the folder and say how to deploy it. The exit code is 1 if that fails."""
    parser = argparse.ArgumentParser(prog="python -m infra.upload", description=__doc__)
    parser.add_argument("--app", help="the one application that is served, default: all of them")
    parser.add_argument("--hobby", action="store_true", help="with the crons of the plan Hobby")
    options = parser.parse_args(arguments)
    folder = OUT / (options.app or ALL)
    try:
        check_committed()
        count = prepare(folder, options.app, hobby=options.hobby)
    except PackagingError as error:
        print(f"infra.upload: {error}", file=sys.stderr)
        return 1
    shown = folder.relative_to(ROOT)
    print(f"{shown}: {count} files. Deploy it: npx vercel deploy --prod --cwd {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
