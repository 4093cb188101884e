"""Copies elsewhere: a configured command is run with the archive's path, and what it says is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

#: Characters of the command's output that are told when it fails.
SHOWN: Final = 1000
PLACEHOLDER: Final = "{file}"


def copy(command: Sequence[str], file: Path, timeout: float) -> str:
    """Run `command`, `{file}` replaced in each word, without a shell; what went wrong, or "".

    It and its children are ended after `timeout` seconds.
    """
    if not any(PLACEHOLDER in word for word in command):
        return f"backup.offsite says nowhere {PLACEHOLDER}, so nothing would be copied"
    words = [word.replace(PLACEHOLDER, str(file)) for word in command]
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            return f"{words[0]} cannot be run ({error.strerror})"
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"{words[0]} did not end within {timeout:g} s and was killed: {_tail(output)}"
        return f"{words[0]} ended with status {status}: {_tail(output)}" if status else ""


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - SHOWN))
    return " ".join(output.read().decode(errors="replace").split()) or "it said nothing"
