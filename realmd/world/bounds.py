"""How large a profile may be: about what a person would tell of themselves."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from .model import (
    AVATAR_CUT,
    BIO_CUT,
    CAPABILITIES,
    CAPABILITY_CUT,
    DESCRIPTION_CUT,
    ID_CUT,
    NAME_CUT,
    PROFILE_BYTES,
    PUBKEY_CUT,
    SKILL_BYTES,
    SKILL_NAME_CUT,
    SKILLS,
    Profile,
    Skill,
)

_encode: Final = msgspec.json.Encoder().encode


def size(value: object) -> int:
    """Bytes of `value` as JSON."""
    return len(_encode(value))


def cut_skill(skill: Skill) -> Skill:
    """`skill` in at most `SKILL_BYTES`: long texts cut, its description to what there is room for."""
    short = Skill(skill.skill_id[:ID_CUT], skill.name[:SKILL_NAME_CUT])
    room = SKILL_BYTES - size(short)
    return replace(short, description=_cut_bytes(skill.description[:DESCRIPTION_CUT], room))


def cut_fields(profile: Profile) -> Profile:
    """`profile` with each field cut to what one may hold; all of it may still be too much together."""
    skills = profile.skills
    return replace(
        profile,
        name=profile.name[:NAME_CUT],
        pubkey=profile.pubkey[:PUBKEY_CUT],
        bio=profile.bio[:BIO_CUT],
        capabilities=tuple(one[:CAPABILITY_CUT] for one in profile.capabilities[:CAPABILITIES]),
        skills=skills if skills is UNSET else tuple(cut_skill(skill) for skill in skills[:SKILLS]),
        avatar=profile.avatar if profile.avatar is UNSET else profile.avatar[:AVATAR_CUT],
    )


def cut(profile: Profile) -> Profile:
    """`profile` in at most `PROFILE_BYTES`: its last skills go, then its last capabilities.

    What is left without those has room in any language.
    """
    profile = cut_fields(profile)
    over = size(profile) - PROFILE_BYTES
    while over > 0 and profile.skills:
        over -= size(profile.skills[-1]) + 1
        profile = replace(profile, skills=profile.skills[:-1])
    while over > 0 and profile.capabilities:
        over -= size(profile.capabilities[-1]) + 1
        profile = replace(profile, capabilities=profile.capabilities[:-1])
    return profile


def _cut_bytes(text: str, room: int) -> str:
    """The beginning of `text` that takes at most `room` bytes in JSON, without its quotes."""
    if size(text) - 2 <= room:
        return text
    for index, character in enumerate(text):
        room -= size(character) - 2
        if room < 0:
            return text[:index]
    return text
