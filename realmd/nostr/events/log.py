"""The durable log: what the realm journalled for everybody to see, as a chain of batches on relays.

    78      ["d", "openclaw-world:<room id>"] ["seq", <number of the batch, from 1 on>]
            ["prev", <id of the batch before>]                            (the first has none)
            {"v": 1, "fromSeq": a, "toSeq": b, "before": hash, "hash": hash,
             "events": [{"worldType": …, "seq": n, …}, …], "omitted": [n, …]}
    30078   ["d", "openclaw-world:<room id>:checkpoint"]
            {"v": 1, "batch": n, "id": <id of that batch>, "toSeq": b, "hash": hash}

A batch answers for every event number from `fromSeq` to `toSeq`: public events are in `events`, byte
for byte as they were journalled; those larger than a relay takes, and those that were gone before they
could be published, are named in `omitted`; the other numbers belong to private events, which are
never published.  The next batch begins at `toSeq` + 1.  So a number that is not there is known to be
private, or known to be lost.

The running hash goes over the published events however they were batched: it begins with 32 zero
bytes, and after each event becomes SHA-256(hash | seq, 8 bytes big-endian | SHA-256(body)).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ...world import events
from .draft import (
    LEAST_BYTES,
    MOST_CONTENT,
    Draft,
    Published,
    Unreadable,
    content,
    cost,
    encode,
    expect,
    number,
    only,
    size,
    values,
)

KIND: Final = 78
CHECKPOINT: Final = 30078
#: Events in one batch.
MOST_EVENTS: Final = 1000

Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}\\Z", max_length=64)]
#: The running hash before any event.
NO_HASH: Final = "0" * 64

_PRIVATE: Final = frozenset(str(cls.__struct_config__.tag) for cls in events.Private.__subclasses__())


class Public(Struct, frozen=True, gc=False):
    """A public event: its number, and its JSON as it was journalled."""

    seq: int
    body: bytes


class Head(Struct, frozen=True, gc=False):
    """The end of a chain: its last batch's number and id, and what that batch ended with.

    `Head(to_seq=n)` begins a new chain with the events after n.
    """

    batch: int = 0
    id: str = ""
    to_seq: int = 0
    hash: str = NO_HASH


class Cut(Struct, frozen=True):
    """The next batch: sign and publish `draft`, then go on from `head(its id)` with `rest`.

    `omitted` are the numbers of events that no draft of that size can hold, and of those lost.
    """

    draft: Draft
    rest: tuple[Public, ...]
    omitted: tuple[int, ...]
    after: Head

    def head(self, event_id: str) -> Head:
        """The end of the chain once `draft` is signed."""
        return msgspec.structs.replace(self.after, id=event_id)


class Batch(Struct, frozen=True):
    """A batch as it was read; it was found to be sound in itself."""

    id: str
    batch: int
    prev: str
    from_seq: int
    to_seq: int
    before: str
    hash: str
    entries: tuple[Public, ...]
    omitted: tuple[int, ...]

    @property
    def head(self) -> Head:
        return Head(self.batch, self.id, self.to_seq, self.hash)

    def follows(self, other: Batch) -> bool:
        """Whether this is the batch after `other`, by number, id, range and hash."""
        return (self.batch, self.prev, self.from_seq, self.before) == (
            other.batch + 1,
            other.id,
            other.to_seq + 1,
            other.hash,
        )


class _Content(Struct, rename="camel"):
    v: Literal[1]
    from_seq: Seq
    to_seq: Seq
    before: Hash
    hash: Hash
    events: Annotated[list[Raw], Meta(max_length=MOST_EVENTS)]
    omitted: Annotated[list[Seq], Meta(max_length=MOST_EVENTS)] | UnsetType = UNSET


class _Event(Struct, rename="camel"):
    """What every journalled event has."""

    world_type: str
    agent_id: str
    timestamp: int
    seq: Seq
    to_agent_id: Raw | UnsetType = UNSET


class _Checkpoint(Struct, rename="camel"):
    v: Literal[1]
    batch: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    id: Hash
    to_seq: Seq
    hash: Hash


_content: Final = msgspec.json.Decoder(_Content)
_event: Final = msgspec.json.Decoder(_Event)
_checkpoint: Final = msgspec.json.Decoder(_Checkpoint)


def log_tag(room_id: str) -> str:
    """The `d` tag of the room's batches."""
    return f"openclaw-world:{room_id}"


def checkpoint_tag(room_id: str) -> str:
    """The `d` tag of the room's checkpoint."""
    return f"openclaw-world:{room_id}:checkpoint"


def cut(
    room_id: str,
    head: Head,
    entries: Sequence[Public],
    covered: int,
    created_at: int,
    max_bytes: int,
    *,
    lost: Sequence[int] = (),
) -> Cut:
    """The batch after `head` with the first of `entries`, as many as `max_bytes` of an event's JSON hold.

    `entries` are all public events after `head.to_seq` and up to `covered`, in order.  ValueError if
    those looked at are not: then a private event, or one from elsewhere, would be published.  `lost`
    are numbers in that range, rising, whose events are not to be had any more: they are omitted, too.
    """
    _check_entries(head, entries[:MOST_EVENTS], covered)
    tags = _tags(room_id, head)
    widest = _write(head, covered, NO_HASH, [], [covered])
    room = max_bytes - size(Draft(KIND, created_at, tags, widest))
    room = min(room, MOST_CONTENT - len(widest))
    if max_bytes < LEAST_BYTES or room < LEAST_BYTES // 2:
        raise ValueError(f"relays that take no more than {max_bytes} bytes are of no use")
    gone = [Public(seq, b"") for seq in lost if head.to_seq < seq <= covered]
    merged = sorted([*entries, *gone], key=lambda entry: entry.seq) if gone else entries
    taken, omitted = _taken(merged, room)
    left = merged[len(taken) + len(omitted) :]
    rest = tuple(entry for entry in left if entry.body)
    to_seq = covered if not left else max(taken[-1].seq if taken else 0, omitted[-1] if omitted else 0)
    mark = head.hash
    for entry in taken:
        mark = advance(mark, entry)
    text = _write(head, to_seq, mark, taken, omitted)
    after = Head(head.batch + 1, "", to_seq, mark)
    return Cut(Draft(KIND, created_at, tags, text), rest, tuple(omitted), after)


def checkpoint(room_id: str, head: Head, created_at: int) -> Draft:
    """The statement that the room's chain reaches to `head`, for whoever has only a part of it."""
    text = encode(_Checkpoint(1, head.batch, head.id, head.to_seq, head.hash)).decode()
    return Draft(CHECKPOINT, created_at, (("d", checkpoint_tag(room_id)),), text)


def advance(mark: str, entry: Public) -> str:
    """The running hash `mark` after one more event."""
    inner = hashlib.sha256(entry.body).digest()
    return hashlib.sha256(bytes.fromhex(mark) + entry.seq.to_bytes(8, "big") + inner).hexdigest()


def read_batch(event: Published, author: str, room_id: str) -> Batch:
    """A batch of the room's log by `author` (pubkey, hex); raises `Unreadable`.

    Checked is all that can be seen from one batch; how batches follow each other, `chain` checks.
    """
    expect(event, KIND, author)
    if only(event, "d") != log_tag(room_id):
        raise Unreadable("room")
    batch = number(event, "seq")
    prev = only(event, "prev") if batch > 1 else ""
    if batch == 1 and values(event, "prev"):
        raise Unreadable("tags")
    found: _Content = content(event, _content)
    omitted = () if found.omitted is UNSET else tuple(found.omitted)
    entries = tuple(_entry(bytes(body)) for body in found.events)
    _check_order(found, [entry.seq for entry in entries], omitted)
    mark = found.before
    for entry in entries:
        mark = advance(mark, entry)
    if mark != found.hash:
        raise Unreadable("hash")
    return Batch(
        event.id, batch, prev, found.from_seq, found.to_seq, found.before, found.hash, entries, omitted
    )


def read_checkpoint(event: Published, author: str, room_id: str) -> Head:
    """Where `author` (pubkey, hex) says that the room's chain reaches to; raises `Unreadable`."""
    expect(event, CHECKPOINT, author)
    if only(event, "d") != checkpoint_tag(room_id):
        raise Unreadable("room")
    found: _Checkpoint = content(event, _checkpoint)
    return Head(found.batch, found.id, found.to_seq, found.hash)


def _check_entries(head: Head, entries: Sequence[Public], covered: int) -> None:
    last = head.to_seq
    if covered <= last:
        raise ValueError(f"the log has reached {last} already")
    for entry in entries:
        if not last < entry.seq <= covered or _entry(entry.body).seq != entry.seq:
            raise ValueError(f"event {entry.seq} is out of order")
        last = entry.seq


def _taken(entries: Sequence[Public], room: int) -> tuple[list[Public], list[int]]:
    """The first entries that `room` bytes hold, and those in between that it never could, or without body."""
    taken: list[Public] = []
    omitted: list[int] = []
    left = room
    for entry in entries[:MOST_EVENTS]:
        need = cost(entry.body.decode()) + 1
        never = need > room or not entry.body
        if never:
            need = len(str(entry.seq)) + 1
        if need > left:
            break
        left -= need
        if never:
            omitted.append(entry.seq)
        else:
            taken.append(entry)
    return taken, omitted


def _entry(body: bytes) -> Public:
    try:
        found = _event.decode(body)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise Unreadable("content") from None
    if found.to_agent_id is not UNSET or found.world_type in _PRIVATE:
        raise Unreadable("private")
    return Public(found.seq, body)


def _check_order(found: _Content, seqs: Sequence[int], omitted: Sequence[int]) -> None:
    named = sorted([*seqs, *omitted])
    rising = all(list(part) == sorted(set(part)) for part in (seqs, omitted))
    if not rising or len(set(named)) != len(named) or not 1 <= found.from_seq <= found.to_seq:
        raise Unreadable("order")
    if named and not found.from_seq <= named[0] <= named[-1] <= found.to_seq:
        raise Unreadable("order")


def _tags(room_id: str, head: Head) -> tuple[tuple[str, ...], ...]:
    tags = (("d", log_tag(room_id)), ("seq", str(head.batch + 1)))
    return (*tags, ("prev", head.id)) if head.batch else tags


def _write(head: Head, to_seq: int, mark: str, taken: Sequence[Public], omitted: list[int]) -> str:
    bodies = [Raw(entry.body) for entry in taken]
    return encode(_Content(1, head.to_seq + 1, to_seq, head.hash, mark, bodies, omitted or UNSET)).decode()
