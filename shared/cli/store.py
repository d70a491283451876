"""`tidegate store`: the embedded store on its own, for Upstash clients of any language."""

from __future__ import annotations

from .command import command
from .exit_codes import Exit
from .options import Data, Json, StorePort, Volatile, check_data
from .output import as_json, flush, note
from .signals import stop_signals


@command
async def store(
    port: StorePort = 8079,
    data: Data = None,
    volatile: Volatile = False,
    json: Json = False,
) -> Exit:
    """Serve the Upstash REST protocol on this machine until stopped. For development only.

    GET /_meter, with the token, answers the requests and billed commands so far.
    """
    import asyncio

    from ..config.settings import Settings
    from .dev_secrets import DevSecrets
    from .servers import describe_store, local_store

    settings = Settings.from_env()
    check_data(data, volatile=volatile)
    folder, volatile = data or settings.data_dir, volatile or settings.volatile
    secrets = DevSecrets.random() if volatile else DevSecrets.load_or_create(folder)
    stop = asyncio.Event()
    with stop_signals(stop.set):
        async with local_store(
            data_dir=folder, volatile=volatile, port=port, token=secrets.store_token
        ) as local:
            if json:
                as_json({**local.environment, "engine": local.embedded.engine_name})
            else:
                note(describe_store(local.embedded))
                for name, value in local.environment.items():
                    print(f"{name}={value}")
            flush()
            await stop.wait()
    return Exit.OK
