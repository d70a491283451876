"""Secrets are blanked in the records of every logger of the package."""

from __future__ import annotations

import ast

from shared.jobs.redact import LOGGERS


def test_each_logger_of_the_package_is_filtered(modules: dict[str, ast.Module]) -> None:
    made = {
        str(node.args[0].value)
        for name, tree in modules.items()
        if name.startswith("shared/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("getLogger")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and str(node.args[0].value).startswith("tidegate.")
    }

    assert sorted(LOGGERS) == sorted(made)
