"""File descriptors: every connection takes one."""

from __future__ import annotations

import resource
from typing import Final

from twisted.logger import Logger

#: Kept for the store, logs, threads and a backup; the rest may be connections.
RESERVED_FILES: Final = 64

log = Logger()


def raise_file_limit() -> int:
    """Raise the soft limit on open files to the hard one, where allowed; what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError) as error:
            log.warn(
                "file limit not raised soft={soft} hard={hard}: {error}", soft=soft, hard=hard, error=error
            )
    return soft
