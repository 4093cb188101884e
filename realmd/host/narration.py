"""What a command tells on its way: lines for people, or one JSON object at its end for programs."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import wraps
from typing import Any


def add_json(parser: argparse.ArgumentParser, default: Any = False) -> None:
    """The option of every command that runs `narrated`."""
    parser.add_argument(
        "--json", action="store_true", default=default, help="print what was done as one JSON object"
    )


def narrated(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Let a command that tells what it does line by line tell it as one object with `--json`, at its end.

    What of it is for programs it leaves in `arguments.told`.  Errors are told beside the output, as ever.
    """

    @wraps(run)
    def ran(arguments: argparse.Namespace) -> int:
        if not arguments.json:
            return run(arguments)
        arguments.told = {}
        with redirect_stdout(io.StringIO()) as said:
            code = run(arguments)
        print(json.dumps({"ok": code == 0, **arguments.told, "said": said.getvalue().splitlines()}))
        return code

    return ran
