"""`tidegate store`: the embedded store alone, for Upstash clients of any language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .exit_codes import Exit, command
from .options import Data, Json, StorePort, Volatile
from .output import as_json, flush, note

if TYPE_CHECKING:
    from ..embedded import Embedded


@command
async def store(
    port: StorePort = 8079,
    data: Data = None,
    volatile: Volatile = False,
    json: Json = False,
) -> Exit:
    """Serve the Upstash REST protocol on this machine until stopped. For development only.

    GET /_meter, with the token, answers requests and billed commands so far.
    """
    from ..config.settings import Settings
    from .dev_secrets import Secrets
    from .servers import local_store, stop_signals

    settings = Settings.from_env()
    folder = data or settings.data_dir
    volatile = volatile or settings.volatile
    made = Secrets.fresh() if volatile else Secrets.kept(folder)
    with stop_signals() as stop:
        async with local_store(
            data_dir=folder, volatile=volatile, port=port, token=made.store_token
        ) as local:
            if json:
                as_json({**local.environment, "engine": local.embedded.engine_name})
            else:
                note(about(local.embedded))
                for name, value in local.environment.items():
                    print(f"{name}={value}")
            flush()
            await stop.wait()
    return Exit.OK


def about(embedded: Embedded) -> str:
    """Which engine holds the data, and where."""
    if embedded.volatile or embedded.local is None:
        return f"Embedded store: {embedded.engine_name}, volatile: its jobs end with this process."
    return f"Embedded store: {embedded.engine_name} in {embedded.local.data_dir}"
