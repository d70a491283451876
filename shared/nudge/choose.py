"""The nudge that the settings select. Each way is imported where it is used: a function pays for
its own only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .sender import NudgeSender

if TYPE_CHECKING:
    from ..config.settings import Settings
    from .nudge import Nudge


def open_sender(settings: Settings, nudge: Nudge | None = None) -> NudgeSender | None:
    """The sender of these settings; None where nudges are off. `nudge`: a way that this process
    has in place of the configured one."""
    chosen = nudge or _nudge_of(settings)
    return NudgeSender(chosen, settings.nudge.window) if chosen else None


def _nudge_of(settings: Settings) -> Nudge | None:
    if settings.nudge.function is not None:
        from .function import FunctionNudge  # noqa: PLC0415

        return FunctionNudge(settings.nudge.function)
    if settings.nudge.url is not None and settings.cron_secret is not None:
        from .url import UrlNudge  # noqa: PLC0415

        return UrlNudge(settings.nudge.url, settings.cron_secret)
    return None
