"""JSON as it is written: of a declared type, of almost that type, of none, and what is hardly JSON at all."""

from __future__ import annotations

import json
from typing import Any, Final

from msgspec import inspect

from ..realm import atlas
from .dice import Dice

#: Who the fuzz speaks for, speaks to, and would like to speak for.
OURS: Final = tuple(f"fuzz-{number}" for number in range(12))
#: Those of them whom the operator kicks, bans and takes the tokens from; the others stay able to act.
UNLUCKY: Final = OURS[-3:]
OTHERS: Final = ("witness-ada", "witness-bob", "shalom", "daily", "operator", "human-000000000001", "nobody")
STATIONS: Final = tuple(atlas().workstations)
SKILLS: Final = tuple(sorted({station.skill for station in atlas().workstations.values()}))
PLUGINS: Final = tuple(f"plugin-{number}" for number in range(6))
#: Fields whose values name something.
POOLS: Final[dict[str, tuple[str, ...]]] = {
    "agentId": OURS, "toAgentId": OURS + OTHERS, "targetAgentId": OURS + OTHERS, "workstationId": STATIONS,
    "skillId": PLUGINS, "id": PLUGINS, "agent": UNLUCKY,
    "capabilities": SKILLS,
}  # fmt: skip
#: What is sent as a string, written as JSON; some of it is none, or no UTF-8.
STRINGS: Final[tuple[bytes, ...]] = (
    b'""', b'" "', b'"\\u0000"', b'"a\\u0000b"', b'"\\n\\r\\t\\b\\f"', b'"\x00"', b'"\n"', b'"\\x"',
    b'"\\u12"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\xed\xa0\x80"', b'"\xff"',
    b'"\xc3', b'"', b'"\\u202eevil\\u202c"', '"\u202e\u2066\u200b\ufeff\u00ad"'.encode(),
    '"\u2800\ufffc\u3164"'.encode(), '"Z\u0335\u0322\u0321a\u0301\u0300\u0302l"'.encode(),
    b'"%s"' % ("e" + "\u0301" * 400).encode(),
    '"\U0001f468\u200d\U0001f469\u200d\U0001f467\U000e0041\U0010ffff\ufdd0"'.encode(),
    '"\u05e9\u05dc\u05d5\u05dd"'.encode(), b'"{log_level} {0.__class__} %s %n {path!r} {"',
    b'"<img src=x onerror=alert(1)>"', b'"__proto__"', b'"../../etc/passwd"', b'"\'; DROP TABLE events;--"',
    b'"#ffffff"', b'"#FFFFFG"', b'"idle"', b'"NaN"',
    b'"nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"',
    b'"api_key=sk-abcdefghijklmnopqrstuvwx"', b'"%s"' % b" ".join([b"abandon"] * 11 + [b"about"]),
    b'"password: hunter2hunter2"', b'"\xf0\x9d\x94\xb0"', b'"' + b"x" * 64 + b'"', b'"' + b"x" * 65 + b'"',
    b'"' + b"x" * 501 + b'"', b'"' + b"x " * 15_000 + b'"', b'"' + b"\\ud83d\\ude00" * 2000 + b'"',
    b'"' + "\u202e".encode() * 6000 + b'"', b'"\\/"', b"'x'",
)  # fmt: skip
NUMBERS: Final[tuple[bytes, ...]] = (
    b"0", b"-0", b"-0.0", b"1", b"-1", b"0.5", b"1.0", b"1e0", b"2147483648", b"9007199254740993",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616",
    b"1" + b"0" * 40, b"9" * 400, b"9" * 5000, b"1e308", b"1e309", b"-1e999", b"5e-324", b"1e-999", b"NaN",
    b"Infinity", b"-Infinity", b"+1", b"01", b".5", b"1.", b"0x10", b"1_0", b"--1", b"1790000000000",
)  # fmt: skip
OTHER: Final[tuple[bytes, ...]] = (
    b"null", b"true", b"false", b"[]", b"{}", b"[null]", b'{"":{}}', b"[1,", b"{", b"]", b"", b"nul", b"{,}",
    b'{"a" 1}', b"[" * 70 + b"]" * 70, b'{"a":' * 70 + b"1" + b"}" * 70, b"[" * 5000,
    b"[" * 3000 + b"]" * 3000, b"[%b1]" % (b"1," * 4000),
    b"{%b}" % b",".join(b'"%d":1' % n for n in range(1500)), b"/**/1", b"\xef\xbb\xbf1",
)  # fmt: skip


def quoted(text: str) -> bytes:
    return json.dumps(text).encode()


def anything(dice: Dice) -> bytes:
    """A value of no particular type, or something that is no value."""
    return dice.choice(dice.choice((STRINGS, NUMBERS, OTHER)))


def plain(dice: Dice, depth: int = 0) -> bytes:
    """Some good JSON."""
    match dice.randrange(6 if depth < 4 else 4):
        case 0:
            return b"%d" % dice.randrange(-(10**6), 10**6)
        case 1:
            return quoted(chr(dice.choice((0x61, 0xE9, 0x4E2D, 0x1F600))) * dice.randrange(30))
        case 2:
            return dice.choice((b"null", b"true", b"false", b"0.25"))
        case 3:
            return b"%r" % dice.uniform(-1e6, 1e6)
        case 4:
            return b"[%b]" % b",".join(plain(dice, depth + 1) for _ in range(dice.randrange(4)))
        case _:
            return b"{%b}" % b",".join(
                b'"k%d":%b' % (n, plain(dice, depth + 1)) for n in range(dice.randrange(4))
            )


def value(dice: Dice, kind: inspect.Type, name: str = "") -> bytes:
    """A value that fits `kind`, for the field `name`; now and then one that does not."""
    if dice.odd():
        return anything(dice)
    match kind:
        case inspect.Metadata(type=inner):
            return value(dice, inner, name)
        case inspect.StrType() if name in POOLS and not dice.one_in(12):
            return quoted(dice.choice(POOLS[name]))
        case inspect.StrType():
            return string(dice, kind)
        case inspect.LiteralType(values=allowed):
            return quoted(dice.choice(sorted(map(str, allowed))))
        case inspect.IntType() | inspect.FloatType():
            if dice.one_in(4):
                return dice.choice(NUMBERS)
            return b"%d" % dice.randrange(-50, 200) if dice.one_in(2) else b"%r" % dice.uniform(-40, 40)
        case inspect.BoolType():
            return dice.choice((b"true", b"false"))
        case inspect.VarTupleType(item_type=item, max_length=most):
            count = dice.choice((0, 1, 2, 3, (most or 40), (most or 40) + 1) if dice.odd(2) else (0, 1, 2, 3))
            return b"[%b]" % b",".join(value(dice, item, name) for _ in range(count))
        case inspect.UnionType(types=types):
            return value(dice, dice.choice([t for t in types if not isinstance(t, inspect.NoneType)]), name)
        case inspect.StructType():
            return b"{%b}" % b",".join(fields(dice, kind))
        case _:
            return plain(dice)


def string(dice: Dice, kind: inspect.StrType) -> bytes:
    """A string within its bounds, or at them, or one past them."""
    if kind.pattern is not None and kind.pattern.startswith("^#"):
        return b'"#%06x"' % dice.randrange(1 << 24)
    if dice.one_in(6):
        return dice.choice(STRINGS)
    most = kind.max_length or 500
    sizes = (kind.min_length or 0, 5, 20, 60, *((most, most + 1) if dice.one_in(10) else ()))
    return quoted(chr(dice.choice((0x61, 0x61, 0xE9, 0x202E, 0x1F600))) * dice.choice(sizes))


def fields(dice: Dice, kind: inspect.StructType) -> list[bytes]:
    """The members of an object: those required, some others; one may be gone, twice there, or new."""
    found = []
    for field in kind.fields:
        if dice.odd() if field.required else dice.one_in(2):
            continue
        found.append(b'"%b":%b' % (field.encode_name.encode(), value(dice, field.type, field.encode_name)))
        if dice.odd(0.5):
            found.append(b'"%b":%b' % (field.encode_name.encode(), anything(dice)))
    if dice.odd():
        found.append(b"%b:%b" % (dice.choice(STRINGS), anything(dice)))
    if dice.odd():
        dice.shuffle(found)
    return found


def members(dice: Dice, struct: type) -> list[bytes]:
    """`fields` of a msgspec struct."""
    kind: Any = inspect.type_info(struct)
    return fields(dice, kind)
