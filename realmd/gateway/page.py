"""The page that people look at: the files of realmd/web, linked by hashed names and kept compressed.

A browser may keep what has its hash in its name for a year, because a changed file gets
another name.  The names are written into the files when they are read, so that the
folder itself needs no build step.
"""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from .head import accepts_gzip
from .policy import page_answer
from .request import Request
from .stream import unpacked

FOR_A_YEAR: Final = b"public, max-age=31536000, immutable"
#: Documents, each at its own address too.
DOCUMENTS: Final = {"index.html": b"/", "status.html": b"/status"}
#: All that is in realmd/web.  Python's own table has 1,200 more, of what the machine has installed.
TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}

#: Where one file names another: `from "./a.js"`, `import("./a.js")`, `href="a.css"`.
_IMPORT: Final = re.compile(r"""((?:\bfrom|\bimport)\s*\(?\s*)(["'])(\.{1,2}/[^"'\s]+)\2""")
_LINK: Final = re.compile(r'(\b(?:src|href)=)(")([^":#]+)"')
_ENTRY: Final = re.compile(r'( *)<script type="module" src="([^"]+)"></script>')


class File(Struct, frozen=True):
    """One file as it is served: kept once, gzipped if that is shorter."""

    kept: bytes
    #: Bytes when unpacked.
    size: int
    packed: bool
    content_type: bytes
    etag: bytes
    cache: bytes


class Page:
    """Serves `directory`: documents by name, and every other file by its name and by its hashed one.

    ValueError: the modules import each other in a circle, which no hash can follow.
    """

    def __init__(self, directory: Path) -> None:
        found = (path for path in sorted(directory.rglob("*")) if path.is_file())
        self._paths = {
            path.relative_to(directory).as_posix(): path
            for path in found
            if not path.name.startswith(".") and not path.name.endswith(".d.ts")
        }
        #: SHA-256 of each file as it is served.
        self._sums: dict[str, str] = {}
        self._needs: dict[str, list[str]] = {}
        self._files: dict[bytes, File] = {}
        for name in self._paths:
            self._link(name, ())

    def pages(self) -> dict[bytes, Callable[[Request], None]]:
        """Path → handler, for the HTTP door."""
        return dict.fromkeys(self._files, self._serve)

    def missing(self, request: Request) -> None:
        """No page of that path."""
        request.answer({"error": "Not found"}, 404)

    def _serve(self, request: Request) -> None:
        file = self._files[request.path]
        request.header(b"etag", file.etag)
        request.header(b"cache-control", file.cache)
        for name, value in page_answer(request.head):
            request.header(name, value)
        request.header(b"vary", b"Accept-Encoding")
        if request.head.get(b"if-none-match") == file.etag:
            request.send(b"", file.content_type, 304)
        elif not file.packed:
            request.send(file.kept, file.content_type)
        elif accepts_gzip(b",".join(request.head.all(b"accept-encoding"))):
            request.header(b"content-encoding", b"gzip")
            request.send(file.kept, file.content_type)
        else:
            # No browser gets here.  The longest file takes 1 ms to unpack, so that must have its price.
            request.line.throttle.answered(request.peer, file.size, request.proxied)
            request.stream(unpacked(file.kept), file.size, file.content_type)

    # -- linking -----------------------------------------------------------------------

    def _link(self, name: str, trail: tuple[str, ...]) -> None:
        """Take in the file, with the hashed names of the files that it names, and those before it.

        One at a time: what all of them take unpacked would stay the process's for good.
        """
        if name in trail:
            raise ValueError(f"modules import each other: {' → '.join([*trail, name])}")
        if name in self._sums:
            return
        body, needs = self._paths[name].read_bytes(), self._needs.setdefault(name, [])
        pattern = {".js": _IMPORT, ".html": _LINK}.get(posixpath.splitext(name)[1])
        if pattern is not None:

            def relink(match: re.Match[str]) -> str:
                target = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[3]))
                if target not in self._paths or target in DOCUMENTS:
                    return match[0]
                self._link(target, (*trail, name))
                needs.append(target)
                relative = posixpath.relpath(self._hashed(target), posixpath.dirname(name) or ".")
                dotted = relative if relative.startswith(".") or pattern is _LINK else f"./{relative}"
                return f"{match[1]}{match[2]}{dotted}{match[2]}"

            text = body.decode("utf-8")
            if pattern is _LINK:
                text = _ENTRY.sub(lambda match: self._preload(match, (name,)) + match[0], text)
            body = pattern.sub(relink, text).encode("utf-8")
        self._sums[name] = total = hashlib.sha256(body).hexdigest()
        self._files[b"/" + name.encode()] = plain = _file(name, body, total, b"no-cache")
        if name in DOCUMENTS:
            self._files[DOCUMENTS[name]] = plain
        else:
            self._files[b"/" + self._hashed(name).encode()] = replace(plain, cache=FOR_A_YEAR)

    def _preload(self, entry: re.Match[str], trail: tuple[str, ...]) -> str:
        """Links that fetch all modules an entry needs at once, not one import after another."""
        self._link(entry[2], trail)
        ahead, wanted = [entry[2]], []
        while ahead:
            name = ahead.pop(0)
            if name not in wanted:
                wanted.append(name)
                ahead.extend(self._needs[name])
        return "".join(f'{entry[1]}<link rel="modulepreload" href="{name}">\n' for name in wanted[1:])

    def _hashed(self, name: str) -> str:
        stem, suffix = posixpath.splitext(name)
        return f"{stem}.{self._sums[name][:12]}{suffix}"


def _file(name: str, body: bytes, total: str, cache: bytes) -> File:
    kind = TYPES.get(posixpath.splitext(name)[1], "application/octet-stream")
    text = kind.startswith("text/") or kind in ("application/json", "image/svg+xml")
    content_type = f"{kind}; charset=utf-8" if text else kind
    gzipped = gzip.compress(body, 9, mtime=0)
    packed = len(gzipped) < len(body)
    etag = b'"%b"' % total[:20].encode()
    return File(gzipped if packed else body, len(body), packed, content_type.encode(), etag, cache)
