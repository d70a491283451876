"""The work of document generation. It imports its tools when it first runs."""

from __future__ import annotations

from shared import JobContext

from .payloads import DocumentRequest
from .queues import documents


@documents.job("generate-docs")
async def generate_docs(payload: DocumentRequest, job: JobContext) -> dict[str, object]:
    """Read the pages, write each section, store the document. A section that is written is kept:
    a further attempt goes on after it, and pays for it no second time."""
    from functions.providers.files import files_at  # noqa: PLC0415 - cold start
    from functions.providers.openai import language_model  # noqa: PLC0415

    from .pages import read_pages  # noqa: PLC0415
    from .settings import location  # noqa: PLC0415
    from .writing import Writer  # noqa: PLC0415

    files = files_at(location())
    writer = Writer(payload, job, language_model(), files)
    return await writer.write(lambda: read_pages(payload.pages, files))
