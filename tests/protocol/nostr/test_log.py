"""The durable log: what was published comes back byte for byte, and what is missing is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from realmd.nostr.events import log
from realmd.nostr.events.chain import Fork, Gap, Refused, Report, verify_chain
from realmd.nostr.events.draft import Draft, Unreadable, size
from realmd.nostr.events.log import Cut, Head, Public
from realmd.protocol import encode
from realmd.world import events
from tests.protocol.nostr.samples import NOW, REALM, STRANGER, TAGS, Published, hostile, outcome, published


def chat(seq: int, text: str = "hi") -> Public:
    return Public(seq, encode.event(events.Chat(agent_id="a", timestamp=seq, seq=seq, text=text)))


def write(
    entries: list[Public], covered: int, head: Head | None = None, most: int = 4096, at: int = NOW
) -> tuple[list[Published], list[Head]]:
    """The batches that `entries` make after `head`, and the head after each."""
    head, rest, made, heads = head or Head(), tuple(entries), [], []
    while not heads or heads[-1].to_seq < covered:
        cut = log.cut("cavern", head, rest, covered, at, most)
        made.append(published(cut.draft))
        head, rest = cut.head(made[-1].id), cut.rest
        heads.append(head)
    return made, heads


def read(found: list[Published], checkpoint: Head | None = None, **named: Any) -> Report:
    return verify_chain(found, REALM, "cavern", checkpoint, **named)


#: Public events 1 to 400 but for every fourth, which was a direct message.
ENTRIES = [chat(seq, f"word {seq}") for seq in range(1, 401) if seq % 4]
BATCHES, HEADS = write(ENTRIES, 400)
LAST = HEADS[-1]
assert len(BATCHES) > 6

TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), TEXTS), max_size=60),
    st.integers(0, 5),
    st.integers(4096, 20_000),
    st.randoms(),
)
def test_what_was_published_comes_back(
    spoken: list[tuple[int, str]], after: int, most: int, random: Any
) -> None:
    """Whatever was said, and whatever order relays give it in, each byte of it is there again."""
    entries, seq = [], 0
    for step, text in spoken:
        seq += step
        entries.append(chat(seq, text))
    made, heads = write(entries, seq + after + 1, most=most)
    for event in made:
        assert size(Draft(event.kind, event.created_at, event.tags, event.content)) <= most
    shuffled = [*made, *made[:2]]
    random.shuffle(shuffled)
    report = read(shuffled, heads[-1])
    assert report.entries == tuple(entries)
    assert (report.head, report.batches, report.checkpoint) == (heads[-1], len(made), "matched")
    assert report.complete
    assert (report.gaps, report.forks, report.strays, report.refused, report.omitted) == ((),) * 5


def test_batches_are_full() -> None:
    """A batch is as large as the relay takes, and no larger."""
    sizes = [size(Draft(78, event.created_at, event.tags, event.content)) for event in BATCHES]
    assert max(sizes) <= 4096
    assert min(sizes[:-1]) > 3900


def test_the_running_hash_does_not_depend_on_batches() -> None:
    """Two realms that published the same events in other batches end with the same hash."""
    _, others = write(ENTRIES, 400, most=9000)
    assert len(others) < len(HEADS)
    assert others[-1].hash == LAST.hash
    assert write(ENTRIES[:-1], 400)[1][-1].hash != LAST.hash


def test_a_checkpoint_says_where_the_chain_ends() -> None:
    """It is read back as it was written, and only as the realm's own."""
    event = published(log.checkpoint("cavern", LAST, NOW))
    assert (event.kind, event.tags) == (30078, (("d", "openclaw-world:cavern:checkpoint"),))
    assert log.read_checkpoint(event, REALM, "cavern") == LAST
    for author, room, code in [(STRANGER, "cavern", "author"), (REALM, "other", "room")]:
        with pytest.raises(Unreadable) as caught:
            log.read_checkpoint(event, author, room)
        assert caught.value.code == code


def test_a_lost_batch_is_told_from_a_private_event() -> None:
    """A gap names the batches and the event numbers it held; numbers of direct messages are no gap."""
    report = read(BATCHES[:2] + BATCHES[4:], LAST)
    assert report.gaps == (Gap(3, 4, HEADS[1].to_seq + 1, HEADS[3].to_seq),)
    lost = range(HEADS[1].to_seq + 1, HEADS[3].to_seq + 1)
    assert report.entries == tuple(entry for entry in ENTRIES if entry.seq not in lost)
    assert (report.head, report.checkpoint, report.complete) == (LAST, "matched", False)
    beginning = read(BATCHES[2:], LAST)
    assert beginning.gaps == (Gap(1, 2, None, HEADS[1].to_seq),)
    assert not beginning.complete


def test_a_missing_tail_is_seen_by_the_checkpoint() -> None:
    """Without the newest batches, or without any, the checkpoint says how much is missing."""
    report = read(BATCHES[:3], LAST)
    assert report.gaps == (Gap(4, LAST.batch, HEADS[2].to_seq + 1, 400),)
    assert (report.head, report.checkpoint, report.complete) == (HEADS[2], "ahead", False)
    assert read([], LAST).gaps == (Gap(1, LAST.batch, None, 400),)
    assert not read([], LAST).complete
    assert not read([]).complete
    assert read(BATCHES[:3]).complete
    assert read(BATCHES, HEADS[3]).complete
    missing = read(BATCHES[:2] + BATCHES[3:], HEADS[2])
    assert (missing.checkpoint, missing.complete) == ("absent", False)


def fork(at: int) -> tuple[list[Published], list[Head]]:
    """Another chain from the batch numbered `at` on, as of a realm set back to an old disk."""
    entries = [chat(entry.seq, "otherwise") for entry in ENTRIES if entry.seq > HEADS[at - 1].to_seq]
    return write(entries, 400, HEADS[at - 1])


def test_two_chains_are_never_mixed() -> None:
    """At a fork only what both have in common is given, unless the checkpoint or the operator chooses."""
    others, ends = fork(3)
    both = [*others, *BATCHES]
    shared = tuple(entry for entry in ENTRIES if entry.seq <= HEADS[2].to_seq)
    report = read(both)
    assert report.entries == shared
    assert report.forks == (Fork(4, tuple(sorted((BATCHES[3].id, others[0].id)))),)
    assert report.tips == tuple(sorted((LAST.id, ends[-1].id)))
    assert set(report.strays) == {event.id for event in [*others, *BATCHES[3:]]}
    assert not report.complete
    for chosen in (read(both, LAST), read(both, branch=LAST.id), read(both, HEADS[5])):
        assert chosen.entries == tuple(ENTRIES)
        assert chosen.head == LAST
        assert set(chosen.strays) == {event.id for event in others}
    other = read(both, LAST, branch=others[1].id)
    assert other.entries[: len(shared)] == shared
    assert all(b"otherwise" in entry.body for entry in other.entries[len(shared) :])
    assert (other.head, other.checkpoint, other.complete) == (ends[-1], "differs", False)
    with pytest.raises(ValueError, match="branch"):
        read(both, branch="0" * 64)


def test_two_beginnings_are_no_beginning() -> None:
    """A realm that lost its key's memory and began anew: nothing is in common, nothing is made up."""
    others, ends = write([chat(1, "anew")], 1)
    report = read([*BATCHES, *others])
    assert report.entries == ()
    assert report.forks[0].batch == 1
    assert read([*BATCHES, *others], ends[0]).entries == (chat(1, "anew"),)
    assert read([*BATCHES, *others], LAST).entries == tuple(ENTRIES)


def test_a_rival_without_its_beginning_is_a_fork() -> None:
    """Also when only one of two batches can be linked, nobody has said yet that it is the right one."""
    others, _ = fork(3)
    report = read([*BATCHES, others[1]])
    assert report.forks == (Fork(5, tuple(sorted((BATCHES[4].id, others[1].id)))),)
    assert (report.head, report.complete) == (HEADS[3], False)
    assert read([*BATCHES, others[1]], LAST).head == LAST


def test_over_a_gap_nothing_overlaps() -> None:
    """A batch of another chain does not fill a hole: no event number is ever given twice."""
    larger, ends = write(ENTRIES, 400, most=9000)
    assert HEADS[2].to_seq < ends[1].to_seq
    report = read([larger[1], BATCHES[3]])
    assert (report.head, report.strays) == (ends[1], (BATCHES[3].id,))
    report = read([larger[1], *BATCHES[3:]], LAST)
    assert report.strays == (larger[1].id,)
    assert report.gaps == (Gap(1, 3, None, HEADS[2].to_seq),)
    tiny, head = [], Head()
    for entry in ENTRIES[:5]:
        made, (head,) = write([entry], entry.seq, head)
        tiny += made
    report = read([*BATCHES[:2], BATCHES[4], tiny[4]])
    assert report.head == HEADS[1]
    assert report.forks == (Fork(5, tuple(sorted((BATCHES[4].id, tiny[4].id)))),)


def test_below_a_gap_a_fork_is_left_out() -> None:
    """Where the batch that would decide is lost, none of the rivals is believed."""
    others, _ = fork(3)
    report = read([*BATCHES[:4], others[0], *BATCHES[5:]], LAST)
    kept = range(HEADS[2].to_seq + 1, HEADS[4].to_seq + 1)
    assert report.entries == tuple(entry for entry in ENTRIES if entry.seq not in kept)
    assert report.gaps == (Gap(4, 5, HEADS[2].to_seq + 1, HEADS[4].to_seq),)


def changed(event: Published, **fields: Any) -> Published:
    """The event with some of its content's fields changed, signed anew."""
    text = json.dumps({**json.loads(event.content), **fields}, separators=(",", ":"))
    return published(Draft(event.kind, event.created_at, event.tags, text))


@pytest.mark.parametrize("link", ["prev", "before", "fromSeq"])
def test_links_are_strict(link: str) -> None:
    """A batch that does not follow by id, by hash and by number ends the chain."""
    third = BATCHES[2]
    if link == "prev":
        wrong = published(Draft(78, NOW, (*third.tags[:2], ("prev", BATCHES[0].id)), third.content))
    elif link == "before":
        entries = tuple(entry for entry in ENTRIES if HEADS[1].to_seq < entry.seq <= HEADS[2].to_seq)
        liar = structs.replace(HEADS[1], hash="1" * 64)
        wrong = published(log.cut("cavern", liar, entries, HEADS[2].to_seq, NOW, 5000).draft)
    else:
        wrong = changed(third, fromSeq=HEADS[1].to_seq)
    report = read([*BATCHES[:2], wrong, *BATCHES[3:]])
    assert report.head == HEADS[1]
    assert wrong.id in report.strays
    assert not report.complete
    anchored = read([*BATCHES[:2], wrong, *BATCHES[3:]], LAST)
    assert anchored.gaps == (Gap(3, 3, HEADS[1].to_seq + 1, HEADS[2].to_seq),)
    assert wrong.id in anchored.strays


def test_a_checkpoint_that_differs_is_named() -> None:
    """A checkpoint of the right batch with another hash or id is not taken for a match."""
    for wrong in (structs.replace(LAST, hash="1" * 64), structs.replace(LAST, id="1" * 64)):
        report = read(BATCHES, wrong)
        assert (report.checkpoint, report.complete) == ("differs", False)


private = json.loads(
    encode.event(events.Message(agent_id="a", timestamp=1, seq=3, to_agent_id="b", content="secret"))
)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"v": 2}, "content"),
        ({"events": [private], "fromSeq": 1, "toSeq": 9}, "private"),
        ({"events": [{**private, "worldType": "chat", "toAgentId": None}]}, "private"),
        ({"events": [{k: v for k, v in private.items() if k != "toAgentId"}]}, "private"),
        ({"events": [{"seq": 1}]}, "content"),
        ({"events": [chat(1).body.decode()]}, "content"),
        ({"hash": "1" * 64}, "hash"),
        ({"before": "1" * 64}, "hash"),
        ({"hash": "x" * 64}, "content"),
        ({"fromSeq": 2}, "order"),
        ({"toSeq": 5}, "order"),
        ({"fromSeq": 0}, "order"),
        ({"omitted": [1]}, "order"),
        ({"omitted": [2**53]}, "content"),
        ({"omitted": [10**6]}, "order"),
        ({"events": [], "fromSeq": 9, "toSeq": 8}, "order"),
    ],
)
def test_a_batch_that_is_not_sound_is_refused(fields: dict[str, Any], code: str) -> None:
    """Signed or not, a batch holds public events in order, within its range, under its hash."""
    wrong = changed(BATCHES[0], **fields)
    report = read([wrong, *BATCHES[1:]], LAST)
    assert report.refused == (Refused(wrong.id, code),)
    assert report.gaps == (Gap(1, 1, None, HEADS[0].to_seq),)


def test_batches_of_others_are_refused() -> None:
    """Another author, room, kind or a tag too many: not this chain."""
    first, second = BATCHES[:2]
    for wrong, code in [
        (structs.replace(first, id="1", pubkey=STRANGER), "author"),
        (structs.replace(first, id="2", tags=(("d", "openclaw-world:other"), *first.tags[1:])), "room"),
        (structs.replace(first, id="3", kind=1), "kind"),
        (structs.replace(first, id="4", tags=(*first.tags, ("prev", ""))), "tags"),
        (structs.replace(second, id="5", tags=second.tags[:2]), "tags"),
        (structs.replace(second, id="6", tags=(*second.tags, second.tags[1])), "tags"),
    ]:
        report = read([wrong, *BATCHES])
        assert report.refused == (Refused(wrong.id, code),)
        assert report.complete


def cut(entries: list[Public], covered: int, head: Head | None = None, most: int = 4096) -> Cut:
    return log.cut("cavern", head or Head(), entries, covered, NOW, most)


def test_an_event_that_no_relay_takes_is_named() -> None:
    """It is left out by its number, the others go on, and the reader is told."""
    large = chat(2, "\x01" * 4000)
    made, heads = write([chat(1), large, chat(3)], 5)
    report = read(made, heads[-1])
    assert report.entries == (chat(1), chat(3))
    assert report.omitted == (2,)
    assert report.complete
    assert cut([large], 5, Head(to_seq=1)).omitted == (2,)


def test_many_events_are_cut_into_batches_in_time() -> None:
    """A batch holds a thousand events at most, however large relays let it be."""
    many = [chat(seq) for seq in range(1, 2002)]
    made, heads = write(many, 2001, most=10**6)
    assert [head.to_seq for head in heads[-1:]] == [2001]
    assert len(made) >= 3
    assert read(made, heads[-1]).entries == tuple(many)


@pytest.mark.parametrize(
    ("entries", "covered"),
    [
        ([chat(2), chat(1)], 9),
        ([chat(1), chat(1)], 9),
        ([chat(10)], 9),
        ([Public(1, chat(2).body)], 9),
        ([Public(3, json.dumps(private).encode())], 9),
        ([Public(3, json.dumps({**private, "worldType": "chat"}).encode())], 9),
        ([Public(1, b"{}")], 9),
        ([Public(1, b"\xff")], 9),
        ([], 0),
    ],
)
def test_what_must_not_be_published_is_not(entries: list[Public], covered: int) -> None:
    """A direct message, a number twice or out of range: an error at the writer's, not an event."""
    with pytest.raises(ValueError, match=r"."):
        cut(entries, covered)


def test_a_new_chain_may_begin_late() -> None:
    """A realm that has lived for long begins its chain with what it still has, and says so."""
    made, heads = write([chat(901)], 905, Head(to_seq=900))
    report = read(made, heads[0])
    assert report.entries == (chat(901),)
    assert report.complete
    assert json.loads(made[0].content)["fromSeq"] == 901
    assert made[0].tags == (("d", "openclaw-world:cavern"), ("seq", "1"))
    with pytest.raises(ValueError, match="no use"):
        cut([], 5, most=4095)


@settings(deadline=None)
@given(hostile("v", "fromSeq", "toSeq", "before", "hash", "events", "omitted", "batch", "id"), TAGS)
@example('{"v":1,"fromSeq":1,"toSeq":2,"before":"","hash":"","events":[' + "[" * 30_000, ())
def test_any_content_is_read_or_refused(content: str, tags: tuple[tuple[str, ...], ...]) -> None:
    """Nothing that a relay sends as a batch or checkpoint raises anything but `Unreadable`."""
    for kind, tagged in [
        (78, BATCHES[0].tags),
        (78, BATCHES[1].tags),
        (78, tags),
        (30078, (("d", log.checkpoint_tag("cavern")),)),
    ]:
        event = published(Draft(kind, NOW, tagged, content))
        assert isinstance(outcome(log.read_batch, event, REALM, "cavern"), log.Batch | Unreadable)
        assert isinstance(outcome(log.read_checkpoint, event, REALM, "cavern"), Head | Unreadable)
        if event.id not in {batch.id for batch in BATCHES}:
            assert read([event, *BATCHES], LAST).entries == tuple(ENTRIES)


def test_what_was_gone_before_it_could_be_published_is_named() -> None:
    """A batch names the numbers that its writer had lost; they are not taken for private ones."""
    entries = [chat(1), chat(4), chat(9)]
    cut = log.cut("cavern", Head(), entries, 10, NOW, 60_000, lost=[2, 7, 11])
    report = read([published(cut.draft)])
    assert (report.entries, report.omitted) == (tuple(entries), (2, 7))
    assert cut.after.to_seq == 10
