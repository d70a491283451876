from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_host_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test runs as a function, or with a developer's own account."""
    for name in ("AWS_LAMBDA_FUNCTION_NAME", "VERCEL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
