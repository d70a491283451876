"""Callbacks: a signed webhook that tells of a job's end, as a job of its own."""

from __future__ import annotations
