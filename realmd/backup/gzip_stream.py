"""gzip (RFC 1952) with no byte that may change unseen: a fixed header, nothing after the end.

The standard library's reader takes any time or name in the header and passes over zeros behind
the end; a backup is to be exactly what was written.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO, Final

from .manifest import BackupError

#: Deflate, no flags, no time, no extra flags, unknown system.
HEADER: Final = bytes.fromhex("1f8b08000000000000ff")
CHUNK: Final = 1 << 18
_TRAILER: Final = struct.Struct("<II")


class Writer(io.RawIOBase):
    """Compresses what is written into `target`; `finish` writes the trailer."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = self._size = 0
        target.write(HEADER)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._target.write(self._deflate.compress(data))
        return len(data)

    def finish(self) -> None:
        self._target.write(self._deflate.flush())
        self._target.write(_TRAILER.pack(self._crc, self._size & 0xFFFFFFFF))


class Reader(io.RawIOBase):
    """Decompresses `source`; raises `BackupError` where it is not what `Writer` wrote."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._crc = self._size = 0
        self._waiting = b""
        self._ended = False
        if source.read(len(HEADER)) != HEADER:
            raise BackupError("It does not begin as a backup does.")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, at least one before the end; all that is left for a negative `size`."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        while not self._ended:
            if self._inflate.eof:
                self._end()
            elif data := self._more(size):
                self._crc = zlib.crc32(data, self._crc)
                self._size += len(data)
                return data
        return b""

    def drain(self) -> None:
        """Read to the end and look at the trailer."""
        while self.read(CHUNK):
            pass

    def _more(self, size: int) -> bytes:
        fresh = self._inflate.unconsumed_tail or self._source.read(CHUNK)
        try:
            data = self._inflate.decompress(fresh, size)
        except zlib.error as error:
            raise BackupError(f"It is damaged ({error}).") from error
        if not (fresh or data or self._inflate.eof):
            raise BackupError("It is cut off: the end is missing.")
        return data

    def _end(self) -> None:
        self._ended = True
        trailer = self._inflate.unused_data + self._source.read(_TRAILER.size + 1)
        if trailer != _TRAILER.pack(self._crc, self._size & 0xFFFFFFFF):
            raise BackupError("It is damaged or cut off: its checksum is wrong.")
