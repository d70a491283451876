"""The step for `tidegate new`: its serverless.yml packages and lints, its vercel.json files are
valid."""

from __future__ import annotations

import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

from ..manifest import ROOT
from .aws_steps import REGION, TOLERATED, VERSION, osls
from .checks import check
from .tools import CACHE, bare_environment, python_tools, run_tool
from .vercel_steps import vercel_errors

NAME = "rehearsed"
FOLDER = CACHE / "new"


def new_project() -> str:
    """Write a project and check its templates with the platforms' tools."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    command = [sys.executable, "-m", "shared.cli", "new", NAME, "--into", str(FOLDER)]
    run_tool(command, cwd=ROOT, env=bare_environment())
    project = FOLDER / NAME
    configs = [json.loads((project / name).read_text("utf-8")) for name in _vercel_files(project)]
    errors = vercel_errors(configs)
    check(errors == [[]] * len(configs), f"vercel.json or its variant is invalid: {errors}")
    with zipfile.ZipFile(project / "build.zip", "w") as archive:
        archive.writestr("functions/__init__.py", "")
    osls("package", cwd=project)
    path = project / ".serverless" / "cloudformation-template-update-stack.json"
    _check_roles(path)
    lint = python_tools("aws", Path(sys.executable), VERSION).with_name("cfn-lint")
    ignored = [part for code in sorted(TOLERATED) for part in ("-i", code)]
    run_tool([str(lint), "-t", str(path), "-r", REGION, *ignored])
    return f"{len(configs)} vercel.json files valid, serverless.yml packages, cfn-lint content"


def _vercel_files(project: Path) -> list[str]:
    names = sorted(path.name for path in project.glob("vercel*.json"))
    check(names == ["vercel.hobby.json", "vercel.json"], f"the project has {names}")
    return names


def _check_roles(path: Path) -> None:
    """Each function has a role of its own, which reads exactly the parameters that it names."""
    resources = json.loads(path.read_text("utf-8"))["Resources"]
    for name in ("Api", "Drain"):
        function = resources[f"{name}LambdaFunction"]["Properties"]
        role = json.dumps(resources[f"{name}Role"])
        check(function["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}, f"{name}: {function}")
        named = re.findall(
            r"=ssm:([^,]+)", function["Environment"]["Variables"]["TIDEGATE_SECRETS"]
        )
        allowed = re.findall(r':parameter(/[^"]+)"', role)
        check(sorted(named) == sorted(allowed), f"{name} names {named} and may read {allowed}")
        check("*" not in role, f"the role of {name} has a wildcard")
