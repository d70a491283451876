"""The check of encryption keys against the queues that are encrypted."""

from __future__ import annotations

from ...config.settings import Settings
from ...declare.app import Registry
from ...encryption.setting import VARIABLE
from ...extras import MissingExtra, require_package
from .finding import Finding


def check_keys(settings: Settings, registry: Registry) -> Finding:
    """Whether this deployment can encrypt and decrypt. Contacts nothing."""
    keys = [key.name for key in settings.encryption_keys]
    queues = [queue for queue in registry.queues() if queue.encrypt]
    names = ", ".join(queue.name for queue in queues)
    if queues and not keys:
        detail = f"encrypted queues ({names}), and {VARIABLE} is not set"
        return Finding("keys", "FAIL", detail, "make a key: tidegate keys generate")
    if queues or keys:
        try:
            require_package("cryptography", "encryption", "encryption")
        except MissingExtra as missing:
            return Finding("keys", "FAIL", str(missing), "install it, also in the functions")
    if not queues:
        detail = f"no queue is encrypted; keys for what is stored: {', '.join(keys) or 'none'}"
        return Finding("keys", "OK", detail)
    plain = [queue.name for queue in queues if queue.encrypt == "new"]
    if plain:
        detail = f'plain jobs still run: encrypt="new" on {", ".join(plain)}'
        advice = "declare encrypt=True once `tidegate keys list --count` shows none"
        return Finding("keys", "WARN", detail, advice)
    older = f", {', '.join(keys[1:])} decrypt" if keys[1:] else ""
    return Finding("keys", "OK", f"{keys[0]} encrypts{older}; encrypted queues: {names}")
