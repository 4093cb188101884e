"""Two agents and a viewer who have nothing to do with the fuzz, and whom nothing may go wrong for.

Ada talks, walks and writes to Bob, each thing known by its number; Bob's socket sees everything.
They come by a proxy, so that the fuzz, which is a program of the realm's own host, may not speak for them.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Final

from ..attacks.field import Field, Stranger
from ..attacks.wire import post
from ..framing import CLOSE, PING, PONG, TEXT, frame, request
from .answers import SECRET

ADA: Final = "witness-ada"
BOB: Final = "witness-bob"
#: Time (s) between two things that Ada does.
PACE: Final = 0.05
#: Longest wait (s) for what Bob must have been shown by the end.
LAST: Final = 10.0


class Witness:
    """Runs in two threads until it is left; `wrong` is what went wrong first."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._stop = threading.Event()
        self.wrong: list[str] = []
        #: What Ada was promised: seq → text, said aloud, and in private.
        self.aloud: dict[int, str] = {}
        self.private: dict[int, str] = {}
        #: What Bob was shown of it.
        self._shown = 0
        self._news = threading.Condition()
        self._ada, self._bob = Stranger(field, "192.0.2.1"), Stranger(field, "192.0.2.2").upgrade()
        registered = self._ada.ask(post("register", agentId=ADA, name="Ada")).json
        self._token: str = registered["token"]
        assert self._bob.command("register", agentId=BOB, name="Bob")["ok"]
        self._threads = [
            threading.Thread(target=self._guarded, args=(part,), daemon=True)
            for part in (self._live, self._look)
        ]
        for thread in self._threads:
            thread.start()

    def leave(self) -> None:
        """Stop, once Bob has seen what Ada did."""
        self._stop.set()
        self._threads[0].join(LAST)

        def seen() -> bool:
            return bool(self.wrong) or self._shown == len(self.aloud) + len(self.private)

        with self._news:
            if not self._news.wait_for(seen, LAST):
                promised = f"{len(self.aloud)} said and {len(self.private)} written"
                self.wrong.append(f"Bob saw {self._shown} of {promised}")

    def close(self) -> None:
        """Hang up."""
        self._stop.set()
        self._bob.shut()
        for thread in self._threads:
            thread.join(LAST)
        self._ada.close()
        self._bob.close()

    def _guarded(self, part: Any) -> None:
        try:
            part()
        except Exception as error:
            if not self._stop.is_set():
                self.wrong.append(f"{part.__name__}: {error!r}")

    def _ask(self, command: str, **args: Any) -> dict[str, Any]:
        answer = self._ada.ask(post(command, self._token, agentId=ADA, **args))
        assert (answer.status, answer.json.get("ok")) == (200, True), (command, answer)
        told: dict[str, Any] = answer.json
        return told

    def _live(self) -> None:
        count = last = 0
        while not self._stop.wait(PACE):
            count += 1
            text = f"sentence {count} of Ada"
            seq = self._ask("world-chat", text=text)["seq"]
            assert seq > last, (seq, last)
            self.aloud[seq] = text
            answer = self._ada.ask(request("GET", f"/api/events?after={seq - 1}&limit=1"))
            [event] = answer.json["events"]
            assert (event["seq"], event["agentId"], event["text"]) == (seq, ADA, text), event
            self._ask("world-move", x=count % 7 - 3.0, z=20.0)
            last = seq = self._ask("agent-message", toAgentId=BOB, content=f"{SECRET.decode()} {count}")[
                "seq"
            ]
            self.private[seq] = f"{SECRET.decode()} {count}"
            where = self._ask("profile")["position"]
            assert (where["agentId"], where["x"]) == (ADA, count % 7 - 3.0), where

    def _told(self) -> dict[str, Any]:
        """The next message to Bob, who answers pings."""
        while True:
            opcode, payload = self._bob.receive()
            if opcode == PING:
                self._bob.send(frame(PONG, payload))
            assert opcode != CLOSE, payload
            if opcode == TEXT:
                told: dict[str, Any] = json.loads(payload)
                return told

    def _look(self) -> None:
        """Each event once, in order; all of Ada's, as she said it; of private ones only Bob's own."""
        last = said = written = 0
        while True:
            told = self._told()
            event = told.get("message", {})
            if told["type"] not in ("world", "private") or "seq" not in event:
                assert told["type"] not in ("error", "notice"), told
                continue
            assert event["seq"] > last, (event, last)
            last = event["seq"]
            if told["type"] == "private":
                assert BOB in (event["agentId"], event["toAgentId"]), event
            if event["agentId"] == ADA and event["worldType"] == "chat":
                said += 1
                assert event["text"] == f"sentence {said} of Ada", event
            elif event["agentId"] == ADA and event["worldType"] == "message":
                written += 1
                assert event["content"] == f"{SECRET.decode()} {written}", event
            with self._news:
                self._shown = said + written
                self._news.notify_all()


def check_kept(events: dict[int, dict[str, Any]], witness: Witness) -> None:
    """Fails unless the store holds every number once, and all that Ada was promised."""
    assert [*events] == [*range(1, len(events) + 1)], "numbers are missing"
    for promised, field in ((witness.aloud, "text"), (witness.private, "content")):
        for seq, text in promised.items():
            assert (events[seq]["agentId"], events[seq][field]) == (ADA, text), json.dumps(events[seq])


def check_shown(line: Stranger, witness: Witness) -> None:
    """Fails unless the realm shows, page by page, all that Ada said aloud."""
    after, found = 1, {}
    while page := line.ask(post("room-events", after=after, limit=200)).json["events"]:
        found.update({event["seq"]: event.get("text") for event in page if event["agentId"] == ADA})
        after = page[-1]["seq"]
    missing = {seq: text for seq, text in witness.aloud.items() if found.get(seq) != text}
    assert missing == {}, f"acknowledged and not shown: {missing}"
