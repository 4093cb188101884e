"""Print the bash completion of realmctl, made from the parser that reads its command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from realmd import ctl

HEAD = """\
# bash completion for realmctl: words after each command; a file name where none is known.
_realmctl()
{
    local current=${COMP_WORDS[COMP_CWORD]} command= word index words
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        [[ $command$word == --room ]] && ((index++))
        [[ $word == -* ]] || command="$command $word"
    done
    while :; do
        case "${command# }" in
"""
TAIL = """\
        esac
        # An argument, not a command: what is known before it still holds.
        [[ $command == *" "* ]] || { words=; break; }
        command=${command% *}
    done
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _realmctl realmctl
"""


def words(parser: argparse.ArgumentParser, trail: str = "") -> Iterator[tuple[str, list[str]]]:
    """Each command ("backup verify") with the words that may follow it, the inner ones first."""
    known: list[str] = []
    for action in parser._actions:
        known += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                known.append(name)
                yield from words(sub, f"{trail} {name}".strip())
        elif action.choices:
            known += [str(choice) for choice in action.choices]
    yield trail, known


def main() -> int:
    sys.stdout.write(HEAD)
    for trail, known in words(ctl.parser()):
        sys.stdout.write(f'            "{trail}") words="{" ".join(known)}"; break;;\n')
    sys.stdout.write(TAIL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
