"""docs/your-first-queue.md, done as printed in a copy of the repository."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .checkout import ROOT, Checkout

PAGE = ROOT / "docs" / "your-first-queue.md"
STEP = re.compile(
    r"(?:Save this as\s`(?P<file>[^`]+)`:\n\n)?```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LAST_STAGE = "  documents: { app: documents }\n"
UPLOADED = "!/functions/apps\n"


TESTS_OF_ALL = (
    ("tests/apps/test_removal.py", "-k", "shop or weather or there_is"),
    ("tests/apps/test_job_failures.py",),
    ("tests/functions/test_deployment.py",),
)
"""Those that go through the applications; of the removals, the sixth and one more."""


def follow_the_page(checkout: Checkout, run: Callable[[str], str]) -> list[str]:
    """Save its files in order, and run its commands; what they printed."""
    said = []
    for step in STEP.finditer(PAGE.read_text("utf-8")):
        if step["file"]:
            checkout.write(step["file"], step["text"])
        elif step["kind"] == "yaml":
            checkout.replace("serverless.yml", LAST_STAGE, LAST_STAGE + step["text"])
        elif step["kind"] == "gitignore":
            checkout.replace(".vercelignore", UPLOADED, UPLOADED + step["text"])
        else:
            said.append(run(step["text"]))
    return said


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_page_adds_an_application_as_printed(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    checkout.commit()

    ran, tested, packaged = follow_the_page(
        checkout, lambda commands: checkout.run("bash", "-ec", commands)
    )

    assert "completed" in ran
    assert '"shipped": 7' in ran
    assert "2 passed" in tested
    assert "drain.zip: python3.13" in packaged
    assert packaged.count("left out") <= 1
    assert (checkout.folder / "build/lambda/shop/x86_64/drain.zip").is_file()


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("arguments", TESTS_OF_ALL, ids=lambda one: Path(one[0]).stem)
def test_the_tests_of_all_applications_pass_beside_it(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    checkout = Checkout(tmp_path / "checkout")
    follow_the_page(checkout, lambda _commands: "")

    said = checkout.pytest(*arguments)

    assert " passed" in said
    assert "failed" not in said


def test_the_page_has_a_step_for_each_file_and_command() -> None:
    steps = [(step["file"], step["kind"]) for step in STEP.finditer(PAGE.read_text("utf-8"))]

    assert steps == [
        ("functions/apps/shop/__init__.py", "python"),
        (None, ""),
        ("tests/apps/shop/test_orders.py", "python"),
        (None, ""),
        (None, "yaml"),
        (None, "gitignore"),
        (None, ""),
    ]
