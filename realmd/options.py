"""What one types after `twistd realmd`, and the map and configuration that it leads to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import ClassVar

from twisted.python.usage import Options as UsageOptions

from .runtime.map import read_atlas
from .settings.reading import ConfigError, load, render
from .world.atlas import AtlasError


class Options(UsageOptions):
    """The options that one types; everything else is in realmd.toml."""

    synopsis = "[options]"
    optParameters: ClassVar = [
        ["config", "c", None, "Configuration file (default: see realmd.toml(5))."],
        ["env-file", None, None, "Also read settings from this .env file."],
        ["host", None, None, "Interface to listen on."],
        ["port", "p", None, "TCP port; 0 takes any that is free."],
        ["world", None, None, "The map, a world.toml."],
        ["state-dir", None, None, "Folder for everything the realm writes."],
        ["log-level", None, None, "debug, info, warn, error or critical."],
        ["log-format", None, None, "auto, text, json or journal."],
    ]
    optFlags: ClassVar = [
        ["check", None, "Show the effective configuration and where it comes from, and exit."]
    ]

    def postOptions(self) -> None:
        """Read the configuration and the map now: what is wrong with them ends twistd with status 2."""
        try:
            self.settings = load(
                Path(self["config"]) if self["config"] else None,
                os.environ,
                self,
                env_file=Path(self["env-file"]) if self["env-file"] else None,
            )
            self.atlas = read_atlas(self.settings)
        except (ConfigError, AtlasError) as error:
            print(error, file=sys.stderr)
            raise SystemExit(2) from None
        if self["check"]:
            print(render(self.settings))
            raise SystemExit(0)
