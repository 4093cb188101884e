"""The control socket of the running daemon, from the operator's side."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Final

import msgspec

from ..protocol.control import VERSION
from ..settings import Config
from ..settings.control import NAME

#: Longest wait (s) for an answer, beyond what the order itself takes.
PATIENCE: Final = 20.0
MOST_BYTES: Final = 64 * 1_048_576
SHOWN_PIECE: Final = 65_536


class Away(Exception):
    """No daemon answers; the text says where it was looked for and what to do."""


class Nobody(Away):
    """There is no daemon at all."""


class Refusal(Exception):
    """The daemon said no, and why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def places(config: Config) -> list[Path]:
    """Where the socket may be: as configured, and where the daemon leaves a link to it."""
    state = config.storage.state
    return list(dict.fromkeys((config.control.place(state), state / NAME)))


class Line:
    """A connection to the daemon; a context manager."""

    def __init__(self, config: Config) -> None:
        self._socket = _connected(places(config))

    def ask(self, command: str, patience: float = 0.0, **fields: Any) -> dict[str, Any]:
        """The fields of the answer; raises `Refusal`, and `Away` if it takes over `patience` (s) and more."""
        given = {name: value for name, value in fields.items() if value is not None}
        self._socket.settimeout(PATIENCE + patience)
        try:
            self._socket.sendall(msgspec.json.encode({"v": VERSION, "command": command, **given}) + b"\n")
            answer: dict[str, Any] = msgspec.json.decode(self._line())
        except (OSError, EOFError, msgspec.DecodeError) as error:
            raise Away(f"the realm gave no answer: {str(error) or 'it hung up'}") from None
        if not answer.pop("ok", False):
            raise Refusal(str(answer.get("code", "")), str(answer.get("error", "refused")))
        answer.pop("v", None)
        return answer

    def _line(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while not (pieces and pieces[-1].endswith(b"\n")):
            piece = self._socket.recv(SHOWN_PIECE)
            size += len(piece)
            if not piece or size > MOST_BYTES:
                raise EOFError("it hung up" if not piece else "its answer has no end")
            pieces.append(piece)
        return b"".join(pieces)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _connected(paths: list[Path]) -> socket.socket:
    for path in paths:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(os.fspath(path))
            return line
        except (FileNotFoundError, ConnectionRefusedError):
            line.close()
        except PermissionError:
            line.close()
            raise Away(f"you may not use {path}: be root, the realm's user, or of its group") from None
        except OSError as error:
            line.close()
            raise Away(f"{path}: {error}") from None
    shown = " or ".join(map(str, paths))
    raise Nobody(f"no realm runs here: nobody listens at {shown}; see `realmctl status`")
