"""Schedules at work: their occurrences, the jobs of those due, and their agenda entries."""

from __future__ import annotations
