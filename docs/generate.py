"""Writes the parts of the documents that are made from the code: `python docs/generate.py`.

A document holds, for each part, the lines ``.. generated: NAME`` and ``.. end of generated: NAME``;
what stands between them is replaced.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from msgspec import NODEFAULT, Struct, inspect

from realmd.gateway.channel import Channel
from realmd.gateway.crowd import GRACE, LEAST_WAIT
from realmd.gateway.frames import PASSED_OVER
from realmd.gateway.limits import (
    FILE_COST,
    FLOOD_WINDOW,
    HEAVY_COST,
    LONGEST_WAIT,
    NETWORK_REGISTRATIONS,
    PIECE,
)
from realmd.gateway.wishes import MOST_LINKS, PLAYER_NAME
from realmd.host.descriptors import RESERVED_FILES
from realmd.ops.thresholds import THRESHOLDS
from realmd.primitives.bucket import LONGEST_DEBT
from realmd.primitives.errors import REFUSALS
from realmd.protocol import classic
from realmd.protocol.dialects import WINDOW_BITS, WORTH_DEFLATING
from realmd.protocol.paging import LIST_BYTES, MOST
from realmd.runtime.daemon import STOP_PATIENCE
from realmd.runtime.history import History
from realmd.runtime.journal import BACKLOG
from realmd.settings import ENVIRONMENT, OPTIONS, SECTIONS
from realmd.settings.base import Section
from realmd.settings.text import SETTINGS, settings_of, toml
from realmd.world import events
from realmd.world.commands import COMMANDS
from realmd.world.engine import Limits
from realmd.world.model import (
    BIO_CUT,
    CAPABILITIES,
    CAPABILITY_CUT,
    NAME_CUT,
    PROFILE_BYTES,
    SKILL_BYTES,
    SKILLS,
    TEXT_CUT,
)
from realmd.world.queries import QUERIES
from realmd.world.rules.movement import BESIDE
from realmd.world.rules.work import REACH
from realmd.world.space import Grid

DOCS: Final = Path(__file__).resolve().parent
PATTERNS: Final = {
    "^#[0-9a-fA-F]{6}\\Z": "``#rrggbb``",
    "^[^\\x00-\\x1f\\x7f-\\x9f]+\\Z": "no control characters",
}
NAMES: Final = {
    inspect.StrType: "string",
    inspect.FloatType: "number",
    inspect.IntType: "integer",
    inspect.BoolType: "boolean",
    inspect.AnyType: "any JSON",
    inspect.DictType: "JSON object",
}
Row = tuple[str, ...]


def table(widths: str, *rows: Row) -> str:
    """A list-table; the first row is its head.  A cell may hold several lines."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in rows:
        for number, cell in enumerate(row):
            first, *rest = [part for line in cell.splitlines() for part in wrapped(line)] or [""]
            lines.append(f"   {'*' if number == 0 else ' '} - {first}".rstrip())
            lines += [f"       {line}".rstrip() for line in rest]
    return "\n".join(lines)


def wrapped(line: str) -> list[str]:
    hang = "  " if line.startswith("- ") else ""
    return textwrap.wrap(line, 90, subsequent_indent=hang, break_on_hyphens=False) or [""]


def sentence(struct: type) -> str:
    return " ".join((struct.__doc__ or "").split()).replace("`", "``")


def fields_of(struct: type[Struct], without: Iterable[str] = ()) -> str:
    """The fields of `struct` as a list, the required first."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    shown = sorted((f for f in info.fields if f.encode_name not in without), key=lambda f: not f.required)
    return "\n".join(f"- {field_line(field)}" for field in shown) or "none"


def field_line(field: inspect.Field) -> str:
    star = r" \*" if field.required else ""
    default = ""
    if field.default not in (NODEFAULT, None, "", ()) and not field.required:
        shown = f"{field.default:g}" if isinstance(field.default, float) else field.default
        default = f"; default ``{shown}``"
    return f"``{field.encode_name}``{star}: {kind_of(field.type)}{default}"


def kind_of(kind: inspect.Type) -> str:
    """A type in words, with its bounds."""
    match kind:
        case inspect.Metadata():
            return (kind.extra_json_schema or {}).get("description") or kind_of(kind.type)
        case inspect.UnionType():
            return " or ".join(kind_of(t) for t in kind.types if not isinstance(t, inspect.NoneType))
        case inspect.LiteralType():
            return "one of " + ", ".join(f"``{value}``" for value in sorted(kind.values, key=str))
        case inspect.VarTupleType():
            most = f" of at most {kind.max_length}" if kind.max_length is not None else ""
            return f"list{most}: {kind_of(kind.item_type)}"
        case inspect.StructType():
            return "{" + ", ".join(field_line(field) for field in kind.fields) + "}"
    return f"{NAMES[type(kind)]}{bounds_of(kind)}"


def bounds_of(kind: inspect.Type) -> str:
    least, most = getattr(kind, "min_length", None), getattr(kind, "max_length", None)
    said: list[str] = []
    if most is not None:
        said.append(f"{least or 0} to {most} characters")
    elif least:
        said.append("not empty")
    if pattern := getattr(kind, "pattern", None):
        said.append(PATTERNS[pattern])
    return f" ({', '.join(said)})" if said else ""


def commands() -> str:
    return asks(COMMANDS)


def queries() -> str:
    return asks(QUERIES)


def asks(structs: dict[str, Any]) -> str:
    rows = [(f"``{name}``", sentence(cls), fields_of(cls)) for name, cls in structs.items()]
    return table("22 38 40", ("Name", "What it asks", "Arguments (\\* required)"), *rows)


def wishes() -> str:
    kinds = [(name, decoder.type) for name, decoder in classic.WISHES.items()]
    rows = [(f"``{name}``", sentence(kind), fields_of(kind)) for name, kind in kinds]
    return table("22 38 40", ("``type``", "What it asks for", "Fields (\\* required)"), *rows)


def event_types() -> str:
    """Every event that goes over the wire, the ephemeral ones first."""
    journalled = events.JOURNALLED.__args__
    rows = []
    for cls in (events.Position, events.Action, *journalled):
        if issubclass(cls, events.Private):
            reach = "sender and receiver; durable"
        elif issubclass(cls, events.Durable):
            reach = "everyone; durable"
        else:
            reach = "viewers near by; ephemeral"
        tag = str(cls.__struct_config__.tag)
        rows.append((f"``{tag}``", sentence(cls), reach, fields_of(cls, ("agentId", "timestamp", "seq"))))
    return table("14 30 18 38", ("``worldType``", "What happened", "Reaches", "Fields"), *rows)


def refusals() -> str:
    rows = [(f"``{code}``", text.replace("`", "``")) for code, text in REFUSALS.items()]
    return table("26 74", ("``code``", "Meaning"), *rows)


def limits() -> str:
    """Limits that are no setting."""
    world = Limits()
    grid = Grid(50.0)
    history = History.__init__.__defaults__
    assert history is not None
    rows = [
        ("A name is cut at", f"{NAME_CUT} characters ({PLAYER_NAME} for a player of the page)"),
        ("A bio is cut at", f"{BIO_CUT} characters"),
        ("Chat and work notes are cut at", f"{TEXT_CUT} characters"),
        ("``payload`` and ``response`` as JSON", f"{world.payload_bytes} bytes, else ``too_long``"),
        ("Levels of lists and objects in them", f"{classic.MOST_LEVELS}, else HTTP 400"),
        ("Open requests from or to one agent", f"{world.open_requests}, else ``inbox_full``"),
        ("Open requests in all", f"{world.requests}, else ``inbox_full``"),
        ("Plugins in the catalogue", f"{world.plugins}, else ``catalogue_full``"),
        ("Of those, published, or installed, by one agent", f"{world.own_plugins}, else ``catalogue_full``"),
        ("Profiles known", f"{world.profiles}; beyond it, who was away the longest is forgotten"),
        ("A skill, as JSON", f"{SKILL_BYTES} bytes; its description is cut"),
        ("Capabilities", f"the first {CAPABILITIES}, each cut at {CAPABILITY_CUT} characters"),
        ("Skills", f"the first {SKILLS}"),
        ("A profile, as JSON", f"{PROFILE_BYTES} bytes, else ``profile_too_large``"),
        ("Entries of a list in one answer", f"{MOST}, whatever ``limit`` asks for"),
        ("Bytes of the entries of a list in one answer", f"{LIST_BYTES}"),
        ("Public events kept in memory", f"the newest {history[0]}; older ones are read from the store"),
        ("Events that may wait for the store", f"{BACKLOG}, else ``storage_unavailable``"),
        ("Agents that one WebSocket speaks for", f"{MOST_LINKS}; further ones are obeyed, but not linked"),
        ("Radius of an area of interest", f"{grid.radius:g} units, in cells of {grid.size:g}"),
        ("Distance at which a station's holder has walked off", f"{REACH:g} units"),
        ("Distance at which a walk to an agent ends", f"{BESIDE:g} units"),
        ("Message worth deflating", f"{WORTH_DEFLATING} bytes or more, {1 << WINDOW_BITS}-byte window"),
        ("File descriptors kept back from connections", str(RESERVED_FILES)),
        ("What one stage of the daemon may take to stop", f"{STOP_PATIENCE:g} s"),
    ]
    return table("45 55", ("Limit", "Value"), *rows)


#: Setting → what is answered beyond it, and the metric that counts it.
ANSWERS: Final = {
    "limits.connection_rate": (
        "429 ``rate_limited``; WebSocket: ``ack`` or ``error``",
        "realmd_rate_limited_total",
    ),
    "limits.address_rate": ("the same", "realmd_rate_limited_total"),
    "limits.network_rate": ("the same", "realmd_rate_limited_total"),
    "limits.flood_refusals": ("closed; WebSocket: 1008", "realmd_floods_total"),
    "limits.address_registrations": (
        "429 ``rate_limited``; ``ack`` or ``error``",
        "realmd_rate_limited_total",
    ),
    "limits.address_seats_percent": ("``crowded``", "realmd_commands_total"),
    "limits.network_seats_percent": ("``crowded``", "realmd_commands_total"),
    "limits.address_connections": ("429, closed", "realmd_connections_refused_total"),
    "limits.network_connections": ("429, closed", "realmd_connections_refused_total"),
    "server.max_connections": ("others give way, else 503, closed", "realmd_connections_refused_total"),
    "limits.spectators_percent": ("the newest closed with 1013", "realmd_connections_given_way_total"),
    "limits.connection_queries": ("``busy``", "realmd_queries_refused_total"),
    "limits.queries": ("``busy``", "realmd_queries_refused_total"),
    "limits.in_flight_bytes": (
        "who holds most and reads least is hung up on, agents and players last",
        "realmd_in_flight_evicted_total",
    ),
    "limits.address_in_flight_bytes": (
        "``busy``; then the same among its connections",
        "realmd_in_flight_refused_total",
    ),
    "limits.tracked": ("newcomers have one share together", "realmd_shares_tracked"),
    "world.commands_per_second": ("``rate_limited`` (HTTP 200, with Retry-After)", "realmd_commands_total"),
    "world.intake_limit": ("``busy``", "realmd_intake_refused_total"),
    "server.handshake_timeout_s": ("hung up on", "realmd_request_timeouts_total"),
    "server.idle_timeout_s": ("closed", "realmd_connections"),
    "server.ping_timeout_s": ("closed", "realmd_websocket_timeouts_total"),
    "server.body_bytes": ("413, closed", "realmd_http_requests_total"),
    "server.message_bytes": (
        f"``error`` or ``ack``, nothing of it is kept; beyond {PASSED_OVER} times as much, closed with 1009",
        "realmd_websocket_faults_total",
    ),
    "server.outbox_bytes": ("closed with 1013", "realmd_outbox_overflows_total"),
    "server.outbox_patience_s": ("closed with 1013", "realmd_outbox_overflows_total"),
}


def door_limits() -> str:
    """What bounds a client at the doors."""
    rows = []
    for path, (answer, metric) in ANSWERS.items():
        setting = SETTINGS[path]
        value = f"{setting.description}\n\nDefault ``{toml(setting.default)}``"
        rows.append(
            (
                f"``{path}``",
                value,
                f"{answer[0].upper() if answer[0].isalpha() else answer[0]}{answer[1:]}",
                f"``{metric}``",
            )
        )
    fixed = [
        ("Header lines of a request", f"{Channel.maxHeaders}, of {Channel.totalHeadersSize} bytes together"),
        (
            "Price of a request, message or frame",
            f"1, and 1 more for each {PIECE} bytes of it and of the answer",
        ),
        ("Price of a file of the page", f"{FILE_COST:g}"),
        ("Price of ``playerJoin`` and of ``/metrics``", f"{HEAVY_COST:g}"),
        ("Registrations of a network", f"{NETWORK_REGISTRATIONS} times those of an address"),
        ("Time in which refusals make a flood", f"{FLOOD_WINDOW:g} s"),
        ("What a share may owe", f"what it fills in {LONGEST_DEBT:g} s"),
        ("Longest wait that is told", f"{LONGEST_WAIT} s"),
        ("What an HTTP connection may wait in a full house", f"{LEAST_WAIT:g} s"),
        ("What a WebSocket may watch before it is a spectator's", f"{GRACE:g} s"),
    ]
    return (
        table("26 38 20 16", ("Setting", "Bounds", "Beyond it", "Metric"), *rows)
        + "\n\nFixed:\n\n"
        + table("55 45", ("Limit", "Value"), *fixed)
    )


def settings() -> str:
    """Every setting, by section of realmd.toml, with its names elsewhere; the manual page has it, too."""
    lines: list[str] = []
    for section, cls in SECTIONS.items():
        heading = f"[{section}]"
        lines += [heading, "-" * len(heading), "", sentence_of(cls), ""]
        for setting in settings_of(section, cls):
            names = [f"REALMD_{section}_{setting.key}".upper()]
            names += [old for old, meant in ENVIRONMENT.items() if meant == setting.path]
            names += [f"--{option}" for option, meant in OPTIONS.items() if meant == setting.path]
            told = setting.description.replace("`", "``")
            allowed = setting.allowed.replace(' "*" ', ' ``"*"`` ')
            lines.append(f"``{setting.path}`` = ``{toml(setting.default)}``")
            also = ", ".join(f"``{name}``" for name in names)
            for paragraph in (told, f"{allowed[0].upper()}{allowed[1:]}.  Also {also}."):
                lines += [f"    {line}" for line in textwrap.wrap(paragraph, 104, break_on_hyphens=False)]
                lines.append("")
    return "\n".join(lines).rstrip()


def sentence_of(section: type[Section]) -> str:
    """What a section is about: the first line of its docstring, which heads it in realmd.toml, too."""
    return (section.__doc__ or "").splitlines()[0].replace("`", "``")


def alerts() -> str:
    """Every threshold at which the operator is told."""
    rows = []
    for threshold in THRESHOLDS:
        lasting = f"for {threshold.lasting} s" if threshold.lasting else "at once"
        name = f"``{threshold.name}``\n\n{threshold.severity}, {lasting}"
        summary = threshold.summary[0].upper() + threshold.summary[1:]
        rows.append((name, f"{summary}.", threshold.advice.replace("`", "``")))
    return table("20 34 46", ("Alert", "When", "What to do"), *rows)


PARTS: Final[dict[str, dict[str, Callable[[], str]]]] = {
    "protocol.rst": {
        "commands": commands,
        "queries": queries,
        "wishes": wishes,
        "events": event_types,
        "refusals": refusals,
        "limits": limits,
    },
    "monitoring.rst": {"alerts": alerts},
    "settings.rst": {"settings": settings},
    "security.rst": {"door limits": door_limits},
}


def rendered(document: str, text: str) -> str:
    """The text of `document` with each of its generated parts made anew."""
    for name, make in PARTS[document].items():
        begin, end = f".. generated: {name}\n", f".. end of generated: {name}\n"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{document} must hold `{begin.strip()}` and `{end.strip()}` once")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{make()}\n\n{end}{rest.split(end)[1]}"
    return text


def main() -> int:
    for document in PARTS:
        path = DOCS / document
        path.write_text(rendered(document, path.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
