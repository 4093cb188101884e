"""What the load tool makes of the positions it sends and sees."""

from __future__ import annotations

import json
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picows import WSMsgType

from realmd.bench.ledger import Ledger, Totals, stamp, stamped
from realmd.bench.sockets import Sampler, Tally

NEWS = (
    b'{"type":"world","message":{"worldType":"position","agentId":"a","x":%r,"y":0,"z":%r}}',
    b'{"type":"snapshot","agents":[]}',
    b'{"type":"error","message":"rate_limited"}',
    b"no JSON at all",
)
coordinates = st.floats(-500, 500)


@given(coordinates, coordinates, st.integers(0, 10**6))
def test_a_position_carries_its_number_over_the_wire(x: float, z: float, seq: int) -> None:
    """A move is recognised by the very numbers that come back in JSON, a hundredth off its place."""
    sent = stamp(x, z, seq)
    assert max(abs(sent[0] - x), abs(sent[1] - z)) < 0.015
    back = json.loads(json.dumps(sent))
    assert tuple(back) == sent
    assert stamped(*back) == seq % 100


def test_latency_is_from_sent_to_seen_for_each_viewer() -> None:
    """Each viewer's sight of a move is a sample; the same position told again is none."""
    ledger, one, two = Ledger(["a"]), dict[str, int](), dict[str, int]()
    _, x, z = ledger.send("a", 1, 1, now=10.0)
    ledger.see(one, "a", x, z, now=10.1)
    ledger.see(one, "a", x, z, now=10.9)
    ledger.see(two, "a", x, z, now=10.2)
    ledger.see(two, "somebody else", x, z, now=10.3)
    assert (ledger.latency.count, round(ledger.latency.greatest, 6)) == (2, 0.2)
    assert ledger.totals() == Totals(1, 0, 1, 0, 0, 0, 0)


def test_what_a_tick_passes_over_is_no_drop() -> None:
    """Moves replaced by a newer one, refused, lost at the end and never watched are told apart."""
    ledger, viewer = Ledger(["a", "b"]), dict[str, int]()
    moves = [ledger.send("a", 0.1 * n, 0, now=n) for n in range(6)]
    ledger.refuse("a", moves[1][0])
    ledger.see(viewer, "a", *moves[3][1:], now=4)
    ledger.refuse("a", moves[4][0])
    ledger.send("b", 5, 5, now=1)
    assert ledger.totals() == Totals(
        sent=7, refused=2, seen=1, collapsed=2, unseen=1, unwatched=1, unmatched=0
    )


def test_what_was_sent_before_the_measurement_is_not_counted() -> None:
    """A move of the warm-up that is seen late gives no sample, and no drop."""
    ledger, viewer = Ledger(["a"]), dict[str, int]()
    _, x, z = ledger.send("a", 1, 1, now=1)
    ledger.begin()
    ledger.see(viewer, "a", x, z, now=2)
    assert (ledger.latency.count, ledger.totals()) == (0, Totals(0, 0, 0, 0, 0, 0, 0))


def test_altered_positions_are_told_of() -> None:
    """A server that rounds coordinates makes latency unmeasurable; that is counted, not guessed at."""
    ledger = Ledger(["a"])
    ledger.send("a", 1.0, 1.0, now=1)
    ledger.see({}, "a", 1.0, 1.0, now=2)
    assert (ledger.latency.count, ledger.totals().unmatched) == (0, 1)


steps = st.lists(st.tuples(st.sampled_from(["send", "see", "refuse"]), st.integers(0, 120)), max_size=300)


@given(steps)
def test_every_move_is_accounted_for(work: list[tuple[str, int]]) -> None:
    """Whatever is seen, refused or lost, in whatever order, the sums are those of the moves sent."""
    ledger, viewer, sent = Ledger(["a"]), dict[str, int](), []
    for what, back in work:
        if what == "send":
            sent.append(ledger.send("a", len(sent) * 0.3, 1, now=0))
        elif sent and what == "see":
            ledger.see(viewer, "a", *sent[-1 - back % len(sent)][1:], now=1)
        elif sent and back == 0:
            ledger.refuse("a", sent[-1][0])
            sent.append(ledger.send("a", len(sent) * 0.3, 1, now=0))
    totals = ledger.totals()
    assert totals.sent == len(sent)
    assert totals.sent == (totals.refused + totals.seen + totals.collapsed + totals.unseen + totals.unwatched)


class Frame(msgspec.Struct):
    """A text frame as picows hands it over."""

    payload: bytes
    fin: bool = True
    rsv1: bool = False
    msg_type: WSMsgType = WSMsgType.TEXT

    @property
    def payload_size(self) -> int:
        return len(self.payload)

    def get_payload_as_bytes(self) -> bytes:
        return self.payload


@pytest.mark.parametrize("kept_context", [True, False])
def test_compressed_and_cut_messages_are_read(kept_context: bool) -> None:
    """Deflated with or without context, in one frame or several: a viewer that reads along sees each move."""
    ledger, tally = Ledger(["a"]), Tally()
    sampler = Sampler(tally, ledger)
    sampler.kept_context = kept_context
    packer = zlib.compressobj(wbits=-15)
    for number in range(5):
        _, x, z = ledger.send("a", number, number, now=0)
        for text in (NEWS[0] % (x, z), *NEWS[1:]):
            if not kept_context:
                packer = zlib.compressobj(wbits=-15)
            packed = (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
            sampler.on_ws_frame(None, Frame(packed[:9], fin=False, rsv1=True))
            sampler.on_ws_frame(None, Frame(packed[9:], msg_type=WSMsgType.CONTINUATION))
    _, x, z = ledger.send("a", 9, 9, now=0)
    sampler.on_ws_frame(None, Frame(NEWS[0] % (x, z)))
    tick = b'{"type":"tick","messages":[{"worldType":"chat","agentId":"a","text":"x"},%b]}'
    _, x, z = ledger.send("a", 9, 9, now=0)
    position = b'{"worldType":"position","agentId":"a","x":%r,"z":%r}' % (x, z)
    sampler.on_ws_frame(None, Frame(tick % position))
    assert ledger.totals().seen == 7
    assert tally.refused == {"rate_limited": 5}
    assert sampler.frames == 42
