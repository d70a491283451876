"""What a function may load when it starts, third parties by name: one more is a decision, because
every cold start pays for it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.package import Artefact

BOTH = {
    "annotated_types",
    "anyio",  # httpx checks whether it is there
    "aws_lambda_powertools",
    "functions",
    "httpx",
    "idna",
    "jmespath",
    "pydantic",
    "pydantic_core",
    "shared",
    "typing_extensions",
    "typing_inspection",
    "upstash_redis",
}
ALLOWED = {"drain": BOTH, "api": BOTH | {"mangum", "starlette"}, "maintain": BOTH}
# Named, not needed: what an interpreter brings along before any of our code runs.
AMBIENT = {"__main__", "__mp_main__", "_distutils_hack", "_virtualenv", "sitecustomize"}
_ON_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "tidegate",
    "UPSTASH_REDIS_REST_URL": "https://example.invalid",
    "UPSTASH_REDIS_REST_TOKEN": "none",
    "TIDEGATE_API_TOKENS": "admin:0123456789abcdef0123456789abcdef",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_CODE = """
import sys
sys.path.insert(0, {folder!r})
import functions.{name}
packages = {{name.split('.')[0] for name in sys.modules}} - set(sys.stdlib_module_names)
import json
places = {{n: getattr(m, '__file__', None) for n, m in sys.modules.items()
          if n.startswith(('shared', 'functions', 'httpx', 'pydantic'))}}
print(json.dumps([sorted(packages), places]))
"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ALLOWED)
def test_an_artefact_starts_alone_and_loads_only_what_is_allowed(
    name: str, artefacts: dict[str, Artefact], tmp_path: Path
) -> None:
    with zipfile.ZipFile(artefacts[name].path) as archive:
        archive.extractall(tmp_path)

    # -I -S: neither this environment's packages nor the checkout can help.
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _CODE.format(folder=str(tmp_path), name=name)],
        cwd=tmp_path,
        env=_ON_LAMBDA,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, f"the {name} artefact lacks something:\n{run.stderr}"
    loaded, places = json.loads(run.stdout.splitlines()[-1])
    third_party = {n for n in loaded if not n.startswith("_sysconfigdata")} - AMBIENT
    assert third_party <= ALLOWED[name], f"new at start: {sorted(third_party - ALLOWED[name])}"
    outside = [place for place in places.values() if place and not place.startswith(str(tmp_path))]
    assert not outside, f"loaded from elsewhere: {outside[:3]}"


@pytest.mark.timeout(240)
def test_a_start_is_not_slowed_by_rich_or_boto3(artefacts: dict[str, Artefact]) -> None:
    for artefact in artefacts.values():
        with zipfile.ZipFile(artefact.path) as archive:
            tops = {name.split("/")[0] for name in archive.namelist()}

        assert not tops & {"rich", "click", "pygments", "boto3", "botocore"}
