"""The example of docs/guides/isolation.md, as an application whose handlers have processes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.store import Store

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "isolation.md"


async def test_the_guides_example_runs_in_child_processes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "isolation_guide.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry.load(["isolation_guide:app"])
    queue = registry.queue("reports")
    digest, size = queue.types["report.digest"], queue.types["report.size"]
    jobs = [await kind.enqueue(kind.model(text="abc")) for kind in (digest, size)]

    await Drain(store, registry, Budget.of(30.0), patience=0).run([queue])

    results = [(await job.status()).result for job in jobs]
    assert results[0] == digest.handler(digest.model(text="abc"), _DirectContext())
    assert results[1] == 3


class _DirectContext:
    """A context for a direct call."""

    def progress(self, done: float, note: str = "") -> None:
        """Nothing."""
