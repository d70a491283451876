"""The log as JSON for function hosts, one line an event."""

from __future__ import annotations

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from .redacted import RedactedFormatter


class JsonFormatter(RedactedFormatter, LambdaPowertoolsFormatter):
    """Powertools' own lines."""
