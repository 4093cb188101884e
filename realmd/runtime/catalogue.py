"""The plugin folder, read again from time to time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from ..world.commands import CatalogueFound
from .intake import Intake
from .plugins import entries, read


class Catalogue:
    """The plugins found in the plugin folder, read again from time to time in a thread."""

    log = Logger()

    def __init__(self, folder: Path | None, intake: Intake) -> None:
        self._folder = folder
        self._intake = intake
        self._found: list[dict[str, Any]] = []
        self._wrong: list[str] = []

    def plugins(self) -> list[dict[str, Any]]:
        return self._found

    def scan(self, count: int = 1) -> Deferred[None] | None:
        return None if self._folder is None else Deferred.fromCoroutine(self._scan(self._folder))

    async def _scan(self, folder: Path) -> None:
        plugins, wrong = await deferToThread(read, folder)
        found = entries(plugins)
        if wrong != self._wrong:
            for sentence in wrong:
                self.log.warn("plugin cannot be read {sentence}", sentence=sentence)
        self._wrong = wrong
        if found != self._found:
            self._found = found
            self._intake.submit(CatalogueFound(versions={p["id"]: p["version"] for p in found}))
