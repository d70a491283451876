"""The applications that this deployment serves: each package beside this file, by its `app`.

An artefact of one application holds that package only (`infra/package.py --app`), so there is no
list to keep in step.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from shared import App

APPS: tuple[App, ...] = tuple(
    importlib.import_module(f"{__name__}.{package.parent.name}").app
    for package in sorted(Path(__file__).parent.glob("*/__init__.py"))
)
