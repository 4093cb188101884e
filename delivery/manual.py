"""Print the reStructuredText of a manual page, its tables made from the code.

`manual.py docs/man/realmctl.1.rst`: a line `.. commands::` becomes realmctl's commands, and
`.. settings::` every setting of realmd.toml; `|version|` is realmd's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from realmd import __version__, ctl
from realmd.settings import ENVIRONMENT, OPTIONS, SECTIONS
from realmd.settings.text import settings_of, toml


def commands() -> Iterator[str]:
    yield from _commands(ctl.parser(), "realmctl")


def _commands(parser: argparse.ArgumentParser, trail: str) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, sub in action.choices.items():
                yield from _command(sub, f"{trail} {name}", helps.get(name, ""))


def _command(sub: argparse.ArgumentParser, trail: str, help_: str) -> Iterator[str]:
    usage = sub.format_usage().removeprefix("usage: ").split(None, len(trail.split()))
    yield from (
        f"**{trail}** {_plain(' '.join(usage[-1].split())) if len(usage) > len(trail.split()) else ''}",
        "",
    )
    text = " ".join((sub.description or help_).split())
    yield from (f"    {_plain(text[:1].upper() + text[1:].rstrip('.'))}.", "")
    for action in sub._actions:
        if isinstance(action, (argparse._SubParsersAction, argparse._HelpAction)):
            continue
        names = ", ".join(action.option_strings) or (action.metavar or action.dest)
        value = (
            f" {action.metavar or action.dest.upper()}" if action.option_strings and action.nargs != 0 else ""
        )
        told = (action.help or "") % {"default": action.default, "prog": "realmctl"}
        yield from (f"    ``{names}{value}``", "        " + (_plain(told) or "\\ "), "")
    if sub.epilog:
        yield from (f"    {_plain(sub.epilog)}", "")
    yield from _commands(sub, trail)


def settings() -> Iterator[str]:
    for section, cls in SECTIONS.items():
        yield from (f"[{section}]", "-" * (len(section) + 2), "")
        yield from (_plain((cls.__doc__ or "").splitlines()[0]), "")
        for setting in settings_of(section, cls):
            path = setting.path
            names = [f"REALMD_{section}_{setting.key}".upper()]
            names += [name for name, meant in ENVIRONMENT.items() if meant == path]
            names += [f"--{option}" for option, meant in OPTIONS.items() if meant == path]
            yield from (f"**{setting.key}** = {_plain(toml(setting.default))}", "")
            yield from (f"    {_plain(setting.description)} Allowed: {_plain(setting.allowed)}.", "")
            yield from (f"    Also: {', '.join(names)}.", "")


def _plain(text: str) -> str:
    """`text` with what reStructuredText would take for markup escaped."""
    return "".join(f"\\{c}" if c in "\\*`_|" else c for c in text.replace("%%", "%"))


MADE = {".. commands::": commands, ".. settings::": settings}


def main() -> int:
    for line in Path(sys.argv[1]).read_text("utf-8").replace("|version|", __version__).splitlines():
        sys.stdout.writelines(f"{made}\n" for made in (MADE[line]() if line in MADE else [line]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
