"""Whether a command may be given: by who may speak for the agent, and is neither banned nor muted."""

from __future__ import annotations

from ...primitives.errors import Rejection
from .. import commands
from ..caller import Caller
from ..state import State
from . import authority, sanctions


def authorise(world: State, command: commands.Command, caller: Caller) -> Rejection | None:
    """The refusal of a command whose sender may not give it."""
    agent_id: str | None = command.agent_id  # type: ignore[attr-defined]
    if agent_id is not None:
        code = authority.objection(world, agent_id, caller)
    elif caller.inside or world.limits.auth == "open" or authority.at_home(world, caller):
        code = None
    else:
        code = "token_required"
    if code:
        return Rejection(code, code)
    return sanctions.refused(world, agent_id, caller) or sanctions.silenced(world, command, caller)
