"""Callbacks: a signed webhook about a job's end, as a job of its own."""

from __future__ import annotations
