"""The payloads of document generation."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Page = Annotated[str, StringConstraints(pattern=r"^(https://|file:.{1,200}$)", max_length=2048)]
"""An address, or `file:` and a name in the folder `pages` of the application's own files."""
Heading = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
SECTIONS = ("Overview", "Getting started", "How it works", "Reference", "Troubleshooting")


class DocumentRequest(BaseModel):
    """One document about one product, written from its pages."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    title: Heading
    pages: tuple[Page, ...] = Field(min_length=1, max_length=10)
    sections: tuple[Heading, ...] = Field(default=SECTIONS, min_length=1, max_length=20)
