"""Another project's relay as a process of its own: `python local_relay.py PORT OPTIONS` (JSON)."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

import nostr_sdk


async def main(port: int, options: dict[str, Any]) -> None:
    """Serve on 127.0.0.1 until killed, on a free port if `port` is 0; say where.

    Options: `auth` (require NIP-42 for everything), `notes_per_minute`, `work` (bits).
    """
    builder = nostr_sdk.LocalRelayBuilder().addr("127.0.0.1")
    if port:
        builder = builder.port(port)
    if options.get("auth"):
        mode = nostr_sdk.LocalRelayBuilderNip42Mode.BOTH
        builder = builder.nip42(nostr_sdk.LocalRelayBuilderNip42(mode=mode))
    if notes := options.get("notes_per_minute"):
        builder = builder.rate_limit(nostr_sdk.RateLimit(max_reqs=100, notes_per_minute=notes))
    if work := options.get("work"):
        builder = builder.min_pow(work)
    relay = builder.build()
    await relay.run()
    url = relay.url()
    print(await url if asyncio.iscoroutine(url) else url, flush=True)
    await asyncio.sleep(timedelta(minutes=5).total_seconds())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), json.loads(sys.argv[2])))
