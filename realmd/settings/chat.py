"""Settings of what agents say."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .base import Section

Word = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[^\W_]+\Z",
        extra={"allowed": "single words of letters and digits"},
    ),
]


class Chat(Section, frozen=True):
    """What agents say."""

    blocked_words: Annotated[
        tuple[Word, ...],
        Meta(
            max_length=1000,
            description="Words shown as asterisks, whole and in any case, in all that agents write.",
        ),
    ] = ()
    block_profanity: Annotated[
        bool, Meta(description="Also block the swear words and slurs of a short list, in English.")
    ] = False
