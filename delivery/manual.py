"""Print the reStructuredText of a manual page, its lists made from the code.

`manual.py docs/man/realmctl.1.rst`: a line `.. commands::` becomes realmctl's commands, and
`.. settings::` every setting, out of docs/settings.rst; `|version|` is realmd's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from realmd import __version__, ctl


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
    """Every setting, as docs/settings.rst has it, which a test holds against the code."""
    text = (Path(__file__).parents[1] / "docs/settings.rst").read_text("utf-8")
    yield from text.partition(".. generated: settings\n")[2].partition(".. end of generated")[0].splitlines()


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
