"""Random tokens for `tidegate dev` and `tidegate store`, stored beside the data of a developer's
machine."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_urlsafe

from ..errors import ConfigurationError

NAME = "dev-tokens.json"


@dataclass(frozen=True, slots=True)
class DevSecrets:
    """The tokens of one data folder."""

    api_token: str
    cron_secret: str
    store_token: str

    @classmethod
    def random(cls) -> DevSecrets:
        """New tokens, for a store that ends with its process."""
        return cls(token_urlsafe(24), token_urlsafe(24), token_urlsafe(24))

    @classmethod
    def load_or_create(cls, data_dir: Path) -> DevSecrets:
        """The tokens of this data folder; new ones if it has none. Raises ConfigurationError."""
        file = data_dir / NAME
        try:
            return cls(**json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            return _store(file, cls.random())
        except (OSError, ValueError, TypeError):
            raise ConfigurationError(f"{file} can't be read; delete it to get new tokens") from None


def _store(file: Path, secrets: DevSecrets) -> DevSecrets:
    """Write the tokens, readable by their owner only. If another process was first, its tokens."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.{os.getpid()}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(asdict(secrets), out)
        try:
            os.link(part, file)
        except FileExistsError:
            return DevSecrets.load_or_create(file.parent)
        finally:
            part.unlink()
    except OSError as error:
        raise ConfigurationError(f"can't write {file}: {error.strerror}") from None
    return secrets
