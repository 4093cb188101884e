"""What strangers and attackers send, beside what any client does."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from ..framing import TEXT, frame, ipc, request

#: What is offered to speak deflated frames.
DEFLATE_OFFER: Final = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
#: From these addresses the realm that is attacked expects a PROXY header, as from its proxies.
PROXIES: Final = "127.0.2.0/24"


def proxy_header(address: str) -> bytes:
    """How a proxy says that the client is at `address` (PROXY protocol, version 1)."""
    return f"PROXY TCP4 {address} 127.0.0.1 40000 80\r\n".encode()


def post(command: str, bearer: str = "", **args: Any) -> bytes:
    """A whole POST /ipc, with the token `bearer` if there is one."""
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    return request("POST", "/ipc", ipc(command, **args), **headers)


def message(**fields: Any) -> bytes:
    """A frame with a message as JSON."""
    return frame(TEXT, json.dumps(fields).encode())


def deflate(text: bytes) -> bytes:
    """A message as permessage-deflate has it, without context (RFC 7692, section 7.2.1)."""
    packer = zlib.compressobj(9, wbits=-15)
    return (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
