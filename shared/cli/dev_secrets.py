"""The tokens of a developer's machine: made once, kept beside the data, never used elsewhere."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_urlsafe

from ..errors import ConfigurationError

NAME = "dev-tokens.json"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What `tidegate dev` and `tidegate store` print."""

    api_token: str
    cron_secret: str
    store_token: str

    @classmethod
    def fresh(cls) -> Secrets:
        """New ones, for a store that ends with its process."""
        return cls(token_urlsafe(24), token_urlsafe(24), token_urlsafe(24))

    @classmethod
    def kept(cls, data_dir: Path) -> Secrets:
        """Those of this data folder, made when it has none. Raises ConfigurationError."""
        file = data_dir / NAME
        try:
            return cls(**json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            return _keep(file, cls.fresh())
        except (OSError, ValueError, TypeError):
            raise ConfigurationError(f"{file} can't be read; delete it to get new tokens") from None


def _keep(file: Path, made: Secrets) -> Secrets:
    """Write them for the owner's eyes only; whoever was first decides."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.{os.getpid()}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(asdict(made), out)
        try:
            os.link(part, file)
        except FileExistsError:
            return Secrets.kept(file.parent)
        finally:
            part.unlink()
    except OSError as error:
        raise ConfigurationError(f"can't write {file}: {error.strerror}") from None
    return made
