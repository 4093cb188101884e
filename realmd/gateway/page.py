"""The page that people look at: the static files of realmd/web, read once and kept compressed."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from .request import Request

#: Nothing but the page itself: no inline code, no other site (CSP level 3).
POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


class File(Struct, frozen=True):
    """One file as it is served."""

    body: bytes
    gzipped: bytes
    content_type: bytes
    etag: bytes


class Page:
    """Serves `directory`: index.html at /, every other file below its own path."""

    def __init__(self, directory: Path) -> None:
        self._files: dict[bytes, File] = {}
        for path in sorted(directory.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                name = path.relative_to(directory).as_posix()
                self._files[b"/" + name.encode()] = _read(path)
        if b"/index.html" in self._files:
            self._files[b"/"] = self._files[b"/index.html"]

    def pages(self) -> dict[bytes, Callable[[Request], None]]:
        """Path → handler, for the HTTP door."""
        return dict.fromkeys(self._files, self._serve)

    def missing(self, request: Request) -> None:
        """No page of that path."""
        request.answer({"error": "Not found"}, 404)

    def _serve(self, request: Request) -> None:
        file = self._files[request.path]
        request.setHeader(b"etag", file.etag)
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"content-security-policy", POLICY)
        request.setHeader(b"referrer-policy", b"no-referrer")
        request.setHeader(b"vary", b"Accept-Encoding")
        if request.getHeader(b"if-none-match") == file.etag:
            request.send(b"", file.content_type, 304)
        elif b"gzip" in (request.getHeader(b"accept-encoding") or b"") and len(file.gzipped) < len(file.body):
            request.setHeader(b"content-encoding", b"gzip")
            request.send(file.gzipped, file.content_type)
        else:
            request.send(file.body, file.content_type)


def _read(path: Path) -> File:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("application/json", "text/javascript", "image/svg+xml")
    content_type = f"{kind}; charset=utf-8" if text else kind
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return File(body, gzip.compress(body, 9, mtime=0), content_type.encode(), etag.encode())
