"""Options of inbox records. A record is stored before anything reads it, so only options of its
execution are left to give."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidOption
from .make_job import read_options
from .overrides import read_overrides
from .queue import JobType

TAKEN = ("attempts", "backoff", "timeout")


def inbox_overrides(job_type: JobType[Any], options: object) -> dict[str, Any]:
    """The numbers of an inbox record's job. Raises InvalidOption, also for options that come too
    late: the record has its id, its place and its time already."""
    if not isinstance(options, dict):
        raise InvalidOption("options: a JSON object", "options")
    checked = read_options(options)
    late = sorted(name for name in checked.model_fields_set if name not in TAKEN)
    if late:
        raise InvalidOption(
            f"{late[0]}: the inbox takes {', '.join(TAKEN)}; send others over HTTP", late[0]
        )
    return read_overrides(job_type, checked)
