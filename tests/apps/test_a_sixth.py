"""docs/your-first-queue.md, done as printed in a copy of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .checkout import ROOT, Checkout

PAGE = ROOT / "docs" / "your-first-queue.md"
STEP = re.compile(
    r"(?:Save this as\s`(?P<file>[^`]+)`:\n\n)?```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LAST_STAGE = "  documents: { app: documents }\n"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_page_adds_an_application_and_removes_it(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    said = []
    for step in STEP.finditer(PAGE.read_text("utf-8")):
        if step["file"]:
            checkout.write(step["file"], step["text"])
        elif step["kind"] == "yaml":
            checkout.replace("serverless.yml", LAST_STAGE, LAST_STAGE + step["text"])
        else:
            said.append(checkout.run("bash", "-ec", step["text"]))

    ran, tested, packaged = said
    assert "completed" in ran
    assert '"shipped": 7' in ran
    assert "2 passed" in tested
    assert "drain.zip: python3.13" in packaged
    assert (checkout.folder / "build/lambda/shop/x86_64/drain.zip").is_file()
    one_stage = (
        "tests/functions/test_deployment.py::test_each_application_has_a_stage_that_serves_it_alone"
    )
    assert "1 passed" in checkout.pytest(one_stage)


def test_the_page_has_a_step_for_each_file_and_command() -> None:
    steps = [(step["file"], step["kind"]) for step in STEP.finditer(PAGE.read_text("utf-8"))]

    assert steps == [
        ("functions/apps/shop/__init__.py", "python"),
        (None, ""),
        ("tests/apps/shop/test_orders.py", "python"),
        (None, ""),
        (None, "yaml"),
        (None, ""),
    ]
