"""A short, repeatable run of what `make fuzz` does for fifteen minutes."""

from __future__ import annotations

import pytest

from tests.fuzz.campaign import run
from tests.fuzz.deployment import NOBODY

SEED = 1


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_api_answers_as_described_and_without_a_token_nothing_reaches_the_store(
    capfd: pytest.CaptureFixture[str],
) -> None:
    options = ["--phases", "fuzzing,stateful", "--max-examples", "3", "--no-shrink"]

    status = await run(SEED, options=options, identities=[NOBODY, "admin", "stored producer"])

    assert status == 0, capfd.readouterr().out
