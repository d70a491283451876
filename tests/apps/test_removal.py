"""An application is deleted by removing its package and its line in serverless.yml: the others are
imported, run a job each, are packaged, and are shown by the demonstration."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from functions.demo.workloads import app_names
from infra.manifest import applications

from .checkout import Checkout
from .one_job_each import JOBS

APPLICATIONS = sorted(applications())
STAGES = (
    "tests/functions/test_deployment.py::test_each_application_has_a_stage_that_serves_it_alone"
)


def remove(checkout: Checkout, app: str) -> None:
    """What the last section of docs/your-first-queue.md says, and nothing more."""
    shutil.rmtree(checkout.folder / "functions" / "apps" / app)
    stage = f"  {app.replace('_', '-')}: {{ app: {app} }}\n"
    checkout.replace("serverless.yml", stage, "")


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("app", APPLICATIONS)
def test_the_others_run_without_it(app: str, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    remove(checkout, app)

    said = json.loads(checkout.run(".venv/bin/python", "-m", "tests.apps.one_job_each"))

    others = [name for name in APPLICATIONS if name != app]
    assert said["served"] == others
    assert said["shown"] == [name for name in app_names() if name != app]
    assert said["ended"] == {name: JOBS[name][2] for name in others if name in JOBS}
    assert "1 passed" in checkout.pytest(STAGES)


def test_there_is_a_job_of_each_application_that_the_demonstration_shows() -> None:
    assert sorted(JOBS) == sorted(app_names())
