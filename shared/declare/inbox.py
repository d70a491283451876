"""Options of inbox records. A record is stored before anything reads it, so only options of its
execution are left to give."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidOption
from .make_job import read_options
from .overrides import read_overrides
from .queue import JobType
from .request_model import NO_OBJECT
from .requests import EnqueueOptions

TAKEN = ("attempts", "backoff", "timeout")


def inbox_overrides(job_type: JobType[Any], options: object) -> dict[str, Any]:
    """The numbers of an inbox record's job. Raises InvalidOption, also for options that come too
    late: the record has its id, its place and its time already."""
    if not isinstance(options, dict):
        raise InvalidOption(f"options: {NO_OBJECT}", "options")
    late = [name for name in EnqueueOptions.model_fields if name in options and name not in TAKEN]
    if late:
        raise InvalidOption(
            f"{late[0]}: the inbox takes {', '.join(TAKEN)}; send others over HTTP", late[0]
        )
    return read_overrides(job_type, read_options(options))
