"""Document generation: a language model writes the documentation of a product from its own pages,
section by section."""

from __future__ import annotations

from .handlers import generate_docs
from .payloads import DocumentRequest
from .queues import app

__all__ = ["DocumentRequest", "app", "generate_docs"]
