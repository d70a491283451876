"""The payloads of provisioning."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from functions.providers.address import Address
from functions.providers.instant import Instant

Username = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Strategy = Annotated[str, StringConstraints(pattern=r"^PUB;[A-Za-z0-9]{8,64}$")]
"""The id of an invite-only script, as TradingView writes it."""


class AccessGrant(BaseModel):
    """One user's access to some strategies. `until` absent: it never ends."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    username: Username
    strategies: tuple[Strategy, ...] = Field(min_length=1, max_length=20)
    email: Address
    until: Instant | None = None
