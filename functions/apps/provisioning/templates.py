"""The email about granted access."""

from __future__ import annotations

from string import Template

from functions.providers.templates import Draft, Email, fill

from .payloads import AccessGrant

_GRANTED = Draft(
    Template("Your access on TradingView is ready"),
    Template(
        "Hello $username,\n\nyou have access to $count of our strategies $end. You find them on "
        'TradingView under "Invite-only scripts".\n'
    ),
    Template(
        "<p>Hello $username,</p><p>you have access to $count of our strategies $end. You find them "
        'on TradingView under "Invite-only scripts".</p>'
    ),
)


def grant_email(grant: AccessGrant) -> Email:
    """The email to the user who has access now."""
    end = "for good" if grant.until is None else f"until {grant.until:%Y-%m-%d}"
    values = {"username": grant.username, "count": len(grant.strategies), "end": end}
    return fill(_GRANTED, grant.email, values)
