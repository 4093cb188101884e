"""What happened in the last minutes, kept small, told in one line."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from ..events import Board, Chat, Join, Leave, Work
from .talk import MINUTE, listed, names, who
from .view import Heard, View

#: How far back is told (ms), and how many happenings are kept (the oldest are forgotten first).
SPAN, KEPT = 10 * MINUTE, 200
QUOTE, TITLE = 80, 40


class Happening(Struct, frozen=True):
    """One thing worth telling: what kind, who, and words or a place to go with it."""

    at: int
    kind: str
    who: str
    text: str = ""


class Chronicle(Struct):
    """The last minutes, oldest first; `since` is when the chronicler began to listen (ms)."""

    since: int = 0
    happenings: list[Happening] = field(default_factory=list)

    def listen(self, view: View, now: int) -> None:
        """Note what was heard; what is too old is forgotten."""
        self.since = self.since or now
        for heard in view.heard:
            noted = _noted(heard, view)
            if noted is not None:
                self.happenings.append(noted)
        if len(self.happenings) > KEPT:
            del self.happenings[:-KEPT]
            self.since = self.happenings[0].at  # so that no more is claimed than is remembered
        while self.happenings and self.happenings[0].at <= now - SPAN:
            del self.happenings[0]

    def tell(self, now: int) -> str:
        """The last minutes in a sentence of bounded length."""
        minutes = max(1, round(min(SPAN, now - self.since) / MINUTE))
        past = f"In the last {minutes} minutes" if minutes > 1 else "In the last minute"
        parts = [part for part in (self._movements(), self._shifts(), self._lines(), self._notes()) if part]
        return f"{past}: {'; '.join(parts)}." if parts else f"{past} nobody came, went, worked or spoke."

    def _of(self, kind: str) -> list[Happening]:
        return [h for h in self.happenings if h.kind == kind]

    def _movements(self) -> str:
        parts = []
        for kind in ("joined", "left"):
            who = list(dict.fromkeys(h.who for h in self._of(kind)))
            if who:
                parts.append(f"{listed(who[:3], max(0, len(who) - 3))} {kind}")
        return ", ".join(parts)

    def _shifts(self) -> str:
        done = self._of("finished")
        if not done:
            return ""
        each = [f"{who} {count}" for who, count in Counter(h.who for h in done).most_common(4)]
        return f"shifts finished by {listed(each)}, the last at {done[-1].text}"

    def _lines(self) -> str:
        said = self._of("said")
        if not said:
            return ""
        lines = "1 line was said" if len(said) == 1 else f"{len(said)} lines were said"
        return f'{lines}, the last by {said[-1].who}: "{said[-1].text}"'

    def _notes(self) -> str:
        notes = self._of("noted")
        told = listed([n.text for n in notes[-2:]], max(0, len(notes) - 2))
        return f"new on the board: {told}" if notes else ""


def _noted(heard: Heard, view: View) -> Happening | None:
    """What is worth keeping of an event; talk of and with inhabitants is not."""
    event, words = heard.event, heard.words
    speaker = who(view, heard)
    if isinstance(event, Work) and event.phase == "finished":
        station = view.station(event.workstation_id)
        return Happening(
            event.timestamp, "finished", speaker, station.name if station else event.workstation_id
        )
    if isinstance(event, Board):
        return Happening(event.timestamp, "noted", speaker, f'"{words.quoted(TITLE)}"')
    if heard.trusted:
        return None
    if type(event) is Join:
        return Happening(event.timestamp, "joined", words.named(speaker))
    if isinstance(event, Leave):
        return Happening(event.timestamp, "left", speaker)
    if isinstance(event, Chat) and not names(words.raw, view.profile):
        return Happening(event.timestamp, "said", speaker, words.quoted(QUOTE))
    return None
