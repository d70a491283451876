# ruff: noqa: INP001 - its folder is a path entry of editable installs, never a package
"""`tidegate`, the installed name of the folder `shared`, in an environment of this checkout.

The wheel installs the folder under this name. Here the name stands for the folder's own modules, so
that `from tidegate import App` and `from shared import App` are one class.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType


class _Alias(MetaPathFinder, Loader):
    """Imports `tidegate.x` as `shared.x`."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if fullname.startswith("tidegate.") else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"shared.{spec.name.removeprefix('tidegate.')}")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It has run under its own name; the import system has just replaced its spec.
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state


sys.meta_path.insert(0, _Alias())
sys.modules["tidegate"] = importlib.import_module("shared")
