"""The payloads of the weather app."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https://", max_length=2048)]
Picture = Annotated[str, StringConstraints(pattern=r"^(https://|file:.{1,200}$)", max_length=2048)]
"""An address, or `file:` and a name in the folder `pictures` of the app's own files."""
Kind = Literal["storm", "heat", "frost", "rain", "snow", "wind"]
Token = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
"""Of a phone, as Expo gives it: `ExponentPushToken[…]`."""
TicketId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]


class Place(BaseModel):
    """A place whose weather is fetched."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Name
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class WeatherAlert(BaseModel):
    """A warning to all users at a place; one of a kind and a day."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    place: Name
    kind: Kind
    day: dt.date
    text: str = Field(min_length=1, max_length=178)

    @property
    def name(self) -> str:
        """What a phone gets once: the warning of its place, kind and day."""
        return f"{self.place}-{self.kind}-{self.day}"


class AlertBatch(BaseModel):
    """A warning to some phones."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    alert: WeatherAlert
    tokens: tuple[Token, ...] = Field(min_length=1, max_length=100)


class SentAlerts(BaseModel):
    """Warnings that Expo has taken: the phone of each by the id of its ticket."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    phones: dict[TicketId, Token] = Field(min_length=1, max_length=100)


class Garment(BaseModel):
    """A photograph of a garment."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    garment: Name
    image: Picture
    colors: int = Field(default=5, ge=1, le=16)


class Upload(BaseModel):
    """What a user uploaded: a text, an image, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    upload: Name
    text: str = Field(default="", max_length=10_000)
    image: Url | None = None

    @model_validator(mode="after")
    def _require_content(self) -> Upload:
        if not self.text and self.image is None:
            raise ValueError("give a text, an image, or both")
        return self
