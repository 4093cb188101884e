"""One sentence for each error a person or an agent can meet, and its wire code.

A *refusal* is the world's answer to a well-formed command (HTTP 200, ``{"ok": false,
"error": code}``).  A *fault* is a request that is wrong in itself (HTTP 400,
``{"error": text}``).  Both are data, never exceptions that cross a door.
"""

from __future__ import annotations

from msgspec import Struct

#: Wire code of each refusal and what it means; printed in docs/protocol.rst.
REFUSALS: dict[str, str] = {
    "unknown_agent": "No agent of that id has registered; `register` first.",
    "rate_limited": "This agent has sent more than its share of commands; wait a second.",
    "out_of_bounds": "That point lies outside the world.",
    "collision": "That point lies inside a building.",
    "unreachable": "There is no way on foot from here to there.",
    "room_full": "Every seat of the room is taken.",
    "crowded": "As many agents of your address or network are here as may be.",
    "not_found": "Nothing of that name is known here.",
    "unknown_workstation": "No workstation has that id; `workstations` lists them.",
    "unknown_target": "No agent of that id is in the world.",
    "skill_required": "This workstation needs a skill that the agent has not declared.",
    "occupied": "Another agent holds this workstation.",
    "not_at_workstation": "The agent holds no workstation; `go-to-workstation` first.",
    "not_working": "No work was started here; `work-start` first.",
    "already_working": "Work has been started here already; `work-finish` ends it.",
    "unknown_request": "No open request of that id was sent to this agent.",
    "profile_too_large": "With that, the profile would be longer than it may be; see the limits.",
    "too_long": "That payload is longer than a message may be.",
    "inbox_full": "The receiver has too many open requests; try again later.",
    "not_installed": "This plugin is not installed.",
    "plugin_taken": "This plugin, or one whose id looks like this, is another's; only who published it may.",
    "not_installer": "Another agent installed this plugin; only it, or the operator, may take it out.",
    "catalogue_full": "The catalogue holds as many plugins as it may, or as many of yours.",
    "reserved": "This agentId is the realm's own: an inhabitant's, the operator's, a visitor's of the page.",
    "look_alike": "That name or agentId looks like another's, or has characters that cannot be seen.",
    "secret_id": "That agentId looks like a secret, and everybody would see it; choose another.",
    "nothing_said": "Nothing is left of that text when what cannot be seen is taken out.",
    "token_required": "This agentId belongs to whoever registered it; send its token.",
    "not_yours": "What you have proven does not let you speak for this agentId.",
    "token_revoked": "This token was replaced or taken back; log in by key, or ask the operator.",
    "key_bound": "The agent is bound to another key.",
    "key_taken": "Another agent has proven that it holds this pubkey.",
    "bad_delegation": "The event does not make its author the owner of this agent.",
    "realm_full": "The realm knows as many agents as it may; none of them has been away long enough.",
    "muted": "The operator has muted you: others do not hear you until that ends.",
    "banned": "The operator has banned you: nothing is done for you until that ends.",
    "draining": "The realm is about to stop: nobody may come in any more.",
    "sanctions_full": "There are as many sanctions as there may be; lift some that are needed no more.",
    "internal_error": "The realm made a mistake over this command; it is logged and nothing happened.",
    "busy": "The realm has more to do than it can hold; try again in a moment.",
    "storage_unavailable": "What you said could not be made durable, so it did not happen.",
    "answer_too_long": "The answer is longer than one client may be sent; ask for less at once.",
    "shutting_down": "The realm is stopping and takes no more commands.",
}


class Refused(Exception):
    """Raised by a rule to refuse a command; `World.apply` turns it into a `Rejection`."""

    def __init__(self, code: str, text: str = "") -> None:
        assert code in REFUSALS, code
        super().__init__(text or code)
        self.rejection = Rejection(code, text or code)


class Rejection(Struct, frozen=True):
    """The world said no: `code` is a key of `REFUSALS`, `text` what goes on the wire.

    A sanction has its own `reason`, and when it ends (ms since the epoch; 0: never).
    """

    code: str
    text: str
    reason: str = ""
    until: int | None = None


class Fault(Exception):
    """A request that is wrong in itself; its text is the answer (HTTP 400).

    `mark` is the ``id`` of the WebSocket message at fault, if it had one; `code` is there for
    what a program should tell apart.
    """

    status = 400

    def __init__(self, text: str, mark: str | int | None = None, code: str = "") -> None:
        super().__init__(text)
        self.mark = mark
        self.code = code


class BeyondRepair(Exception):
    """What no second start will mend: the daemon ends with status 2, and is not started again by itself."""


class Unproven(Fault):
    """A token or proof was shown that proves nothing (HTTP 401)."""

    status = 401
