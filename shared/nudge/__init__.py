"""Nudges: calls of a drain at once, of a process that has put the first job in line."""
