"""An application with an encrypted queue and a plain one."""

from __future__ import annotations

from pydantic import BaseModel

from shared import App

app = App("encrypted")
letters = app.queue("letters", encrypt=True)
lists = app.queue("lists")


class Letter(BaseModel):
    text: str


@letters.job("post")
async def post(letter: Letter) -> str:
    if "lost" in letter.text:
        raise ValueError(letter.text)
    return letter.text


@lists.job("add")
async def add(_letter: Letter) -> None:
    """Do nothing."""
