"""What an agent may call itself: text that can be seen, and no name that looks like another's."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import UNSET

from ...primitives.errors import Refused
from .. import commands
from ..bounds import cut_skill
from ..model import (
    AVATAR_CUT,
    BIO_CUT,
    CAPABILITIES,
    CAPABILITY_CUT,
    DESCRIPTION_CUT,
    ID_CUT,
    NAME_CUT,
    PUBKEY_CUT,
    SKILL_NAME_CUT,
    SKILLS,
    VISITOR,
    Profile,
    Skill,
)
from ..state import State
from ..text.clean import Cleaner
from ..text.colours import hexadecimal
from ..text.leaks import mask_leaks
from ..text.visible import has_ink, on_one_line

#: Of namesakes so many are numbered, from 2 on; those after them are told apart by their agentId.
NUMBERED: Final = 9
_NUMBER: Final = re.compile(r" \([0-9]\)")


def check_id(world: State, agent_id: str) -> None:
    """Refuse a new agentId that looks like one that is known, or has in it what is not seen."""
    taken = world.tables.ids.like(agent_id, but=agent_id) or world.reserved.like(agent_id)
    if taken or on_one_line(agent_id) != agent_id or not has_ink(agent_id):
        raise Refused("look_alike")
    if mask_leaks(agent_id) != agent_id:
        raise Refused("secret_id")


def described(world: State, command: commands.Register, old: Profile | None) -> dict[str, Any]:
    """The fields of a profile that `command` gives, cleaned; a name that others have is marked."""
    line = world.cleaner.line
    given: dict[str, Any] = {}
    if command.name is not UNSET or old is None:
        name = "" if command.name is UNSET else line(command.name, NAME_CUT)
        given["name"] = name_for(world, command.agent_id, name if has_ink(name) else command.agent_id, old)
    if command.bio is not UNSET:
        given["bio"] = world.cleaner.text(command.bio, BIO_CUT)
    if command.pubkey is not UNSET:
        given["pubkey"] = line(command.pubkey, PUBKEY_CUT)
    if command.avatar is not UNSET:
        given["avatar"] = line(command.avatar, AVATAR_CUT)
    if command.capabilities is not UNSET:
        given["capabilities"] = tuple(
            line(one, CAPABILITY_CUT) for one in command.capabilities[:CAPABILITIES]
        )
    if command.type is not UNSET and (word := line(command.type, CAPABILITY_CUT)):
        known = given.get("capabilities", old.capabilities if old is not None else ())
        given["capabilities"] = _with_trade(world, known, word)
    if command.skills is not UNSET:
        given["skills"] = skills_in(world.cleaner, command.skills)
    if isinstance(command.color, str) and (colour := hexadecimal(command.color)):
        given["color"] = colour
    return given


def _with_trade(world: State, known: tuple[str, ...], word: str) -> tuple[str, ...]:
    """`known` with the `word`, and with the skills of workstations whose trade it is: deploy, deployment."""
    stem = word.lower().removesuffix("e")  # trade, trading
    skills = {station.skill for station in world.atlas.workstations.values()}
    meant = sorted(skill for skill in skills if len(stem) > 3 and skill.startswith(stem))
    return tuple(dict.fromkeys((word, *meant, *known)))[:CAPABILITIES]


def skills_in(cleaner: Cleaner, declared: tuple[Skill, ...]) -> tuple[Skill, ...]:
    """Declared skills, cleaned and cut; one of whose id nothing is left is none."""
    cleaned = (
        Skill(
            cleaner.line(skill.skill_id, ID_CUT),
            cleaner.line(skill.name, SKILL_NAME_CUT),
            cleaner.text(skill.description, DESCRIPTION_CUT),
        )
        for skill in declared[:SKILLS]
    )
    return tuple(cut_skill(skill) for skill in cleaned if skill.skill_id)


def name_for(world: State, agent_id: str, name: str, old: Profile | None) -> str:
    """`name`, marked if somebody known goes by one that looks like it.

    The names of inhabitants, and of agents whose key is proven, are theirs alone; those of the realm
    itself are nobody's.
    """
    if old is not None and name == old.name:
        return name
    itself = name == agent_id and agent_id.startswith(VISITOR)
    if world.reserved.like(name) and not itself:
        raise Refused("look_alike")
    names = world.tables.names
    holder = names.like(name, but=agent_id)
    if holder is None:
        return name
    if world.tables.profiles[holder].npub is not UNSET:
        raise Refused("look_alike")
    base = name[: NAME_CUT - 4].rstrip()
    if old is not None and old.name.startswith(base) and _NUMBER.fullmatch(old.name, len(base)):
        return old.name  # the mark that it has already
    marked = [f"{base} ({number})" for number in range(2, NUMBERED + 1)]
    marked.append(f"{name[: max(0, NAME_CUT - 3 - len(agent_id))].rstrip()} ({agent_id})"[:NAME_CUT])
    for one in marked:
        if names.like(one, but=agent_id) is None:
            return one
    raise Refused("look_alike")
