"""Documents: a language model writes about Tidegate, from Tidegate's own pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..claims import Claim, Evidence, equal
from ..world import World

PAGES = Path(__file__).parents[3] / "docs"
TITLES = ("architecture", "failures", "states", "operations", "security", "cost")
SECTIONS = ("Overview", "Getting started", "How it works", "Reference", "Troubleshooting")
QUEUE = "documentation-generation"


class Demonstration:
    """The workload of documents."""

    data = "six pages of docs/ in this repository"
    dead = 0

    def __init__(self, world: World) -> None:
        self._world = world
        self._progress: list[float] = []

    async def work(self) -> None:
        world = self._world
        (world.folder / "documents" / "pages").mkdir(parents=True)
        for title in TITLES:
            shutil.copy(PAGES / f"{title}.md", world.folder / "documents" / "pages")
        requests = [{"title": title, "pages": [f"file:{title}.md"]} for title in TITLES]
        first, *_ = await world.enqueue(QUEUE, "generate-docs", requests)
        world.log(f"{len(requests)} documents ordered, of {len(SECTIONS)} sections each")
        await self._watch(first)
        await world.finish(QUEUE)

    def claims(self, evidence: Evidence) -> Iterator[Claim]:  # noqa: ARG002 - others look at it
        written = [path.read_text("utf-8") for path in self._folder.glob("*.md")]
        whole = sum(
            all(f"## {heading}\n" in text for heading in SECTIONS)
            and any(text.startswith(f"# {title}\n") for title in TITLES)
            for text in written
        )
        yield equal("each document has all its sections", whole, len(TITLES))
        answered = self._world.standins.openai.answered
        asked = {q: n for q, n in answered.items() if "The section to write" in q}
        lost = sum(asked.values()) - len(asked)
        numbers = f"{len(asked)} sections, {lost} asked again after a lost answer"
        paid = len(asked) == len(TITLES) * len(SECTIONS)
        yield Claim("no section that was received is asked for again", paid and lost <= 2, numbers)
        between = [progress for progress in self._progress if 0 < progress < 100]
        numbers = ", ".join(f"{progress:.0f} %" for progress in between) or "none"
        yield Claim("progress shows while it is written", bool(between), numbers)

    def figures(self) -> Mapping[str, str]:
        return {}

    @property
    def _folder(self) -> Path:
        return self._world.folder / "documents"

    async def _watch(self, job_id: str) -> None:
        """Ask for a job's progress until it has ended."""

        async def has_ended() -> bool:
            job = await self._world.job(job_id)
            if job["progress"] is not None and job["progress"] not in self._progress:
                self._progress.append(job["progress"])
            return job["state"] in ("completed", "dead")

        what = "the first document is written"
        await self._world.until(has_ended, what, progress=self._world.finished_jobs)
