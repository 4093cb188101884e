"""What agents say by mistake, and what they hide in what they say."""

from __future__ import annotations

import base64
import re
import re._constants as opcodes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from realmd.primitives import shapes
from realmd.primitives.masking import scrub
from realmd.primitives.shapes import MASK
from realmd.world.text import leaks, seedphrase, visible
from realmd.world.text.clean import Cleaner
from realmd.world.text.leaks import mask_leaks
from realmd.world.text.profanity import COMMON
from realmd.world.text.seedphrase import mask_phrases
from realmd.world.text.visible import on_one_line

HEX = "0f3a9c7de1b25848" * 4
B64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 3
NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
#: Secrets by shape, put together here so that no scanner takes this file for a leak.
BARE = [
    NSEC, NSEC.upper(), "realm1." + "eyJrIjoxfQ." + "c2lnbmF0dXJl", "sk-" + "a1B2" * 12,
    "sk-" + "proj-" + "Ab1_-" * 8, "sk-" + "ant-api03-" + "Zz9-_" * 10, "AKIA" + "IOSFODNN7EXAMPLE",
    "gh" + "p_" + "x7" * 18, "github" + "_pat_" + "11AB_" * 12, "xox" + "b-123456789012-abcdef",
    "AIza" + "Sy" + "d" * 33, "gl" + "pat-" + "x_Y-z" * 4, "sk" + "_live_" + "4eC39" * 5,
    "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + "dBjftJeZ4CVP", "AGE-SECRET" + "-KEY-1" + "Q" * 58,
    "123456789:AA" + "h" * 33, "hf" + "_" + "k" * 34,
]  # fmt: skip
PHRASE = Mnemonic("english").to_mnemonic(bytes(range(16)))
#: (before the secret, the secret, after it)
ANNOUNCED = [
    ("my private key is ", HEX, ", keep it"), ("nostr secret key (hex): ", HEX, ""),
    ("api_key=", HEX[:20], ""), ("OPENAI_API_KEY='", "abc123def456ghi789", "'"),
    ("password: ", "hun,ter2x", ", is it"), ("Bearer ", "a1b2" * 6, ", then"),
    ("Authorization: Bearer ", "abcdefghij", ""), ("see https://bob:", "s3cret", "@example.org/x"),
    ("secret = ", "Zm9vYmFyYmF6MTIz", ""), ("look: ", PHRASE, "!"),
    ("https://x.org/?token=", "1a" * 10, "&b=2"),
]  # fmt: skip
ORDINARY = [
    "Shalom! Shall we meet at the Memory Archive at 12:30?", f"commit {HEX[:40]} fixes it", f"event id {HEX}",
    "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg says hi", f"my public key is {HEX}",
    "my token is npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg",
    "id 550e8400-e29b-41d4-a716-446655440000", "https://example.org/a/b-c_d/e?id=42&page=3#key-points",
    "the token: 0xdAC17F958D2ee523a2206206994597C13D831ec7",
    "sk-learn-feature-extraction-tutorial-for-beginners",
    "the password is wrong; passwords need 8 characters",
    "a bearer authentication scheme, a bearer of good news",
    "Is the secret is that there is none? Tokens are cheap: 100000 tokens.",
    "key: C major", "AKIARA is a name",
    'a PEM begins with "-----BEGIN PRIVATE KEY-----" and ends with "-----END PRIVATE KEY-----"',
    "the quick brown fox jumps over the lazy dog and the cat and the cow and the moon",
    "abandon ability able about above absent absorb abstract absurd abuse access accident", "x.y.z = 1",
]  # fmt: skip


@pytest.mark.parametrize("secret", BARE, ids=lambda secret: secret[:12])
def test_a_secret_is_known_by_its_shape(secret: str) -> None:
    """A key that an agent says by mistake is kept and shown by nobody, nor written to the log."""
    for around in ("{}", "look: {}.", '{{"a":"{}"}}', "<{}>, and so on", "({})"):
        text = around.format(secret)
        assert mask_leaks(text) == scrub(text) == around.format(MASK)


@pytest.mark.parametrize(
    "kind", ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
)
def test_a_private_key_is_masked_whole_even_when_its_end_is_missing(kind: str) -> None:
    """Of a key in PEM armour nothing is left, also when the text was cut before its end."""
    text = f"here:\n-----BEGIN {kind}-----\n{B64}"
    assert mask_leaks(f"{text}-----END {kind}-----\nthanks") == f"here:\n{MASK}\nthanks"
    assert mask_leaks(text) == f"here:\n{MASK}"


@pytest.mark.parametrize(
    ("before", "secret", "after"), ANNOUNCED, ids=[secret[:10] for _, secret, _ in ANNOUNCED]
)
def test_a_secret_that_is_announced_is_masked(before: str, secret: str, after: str) -> None:
    """What somebody calls a key, a token or a password is masked; the words around it stay."""
    assert mask_leaks(before + secret + after) == before + MASK + after


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    """Public keys, hashes, ids, addresses and talk about secrets are not tampered with."""
    assert Cleaner().text(text, 500) == text


@given(st.sampled_from((16, 20, 24, 28, 32)).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_seed_phrases_of_every_length_are_found(entropy: bytes) -> None:
    """Whatever wallet it opens, and however it is listed, a phrase is masked with all its words."""
    words = Mnemonic("english").to_mnemonic(entropy).split()
    numbered = "\n".join(f"{n}. {word.capitalize()}" for n, word in enumerate(words, 1))
    for phrase in (" ".join(words), ", ".join(words), str(words), numbered):
        before, after = phrase[: phrase.lower().index(words[0])], phrase[phrase.lower().rindex(words[-1]) :]
        assert mask_phrases(f"(Of mine: {phrase})") == f"(Of mine: {before}{MASK}{after[len(words[-1]) :]})"


@given(st.lists(st.sampled_from(Mnemonic("english").wordlist), min_size=12, max_size=12))
def test_twelve_words_are_a_phrase_only_if_their_checksum_holds(words: list[str]) -> None:
    """Fifteen of sixteen rows of twelve such words are ordinary text, and the library agrees which."""
    text = " ".join(words)
    assert (mask_phrases(text) == MASK) is Mnemonic("english").check(text)


RTL, FAMILY = "שלום עולם, مرحبا", "👩\u200d👩\u200d👧 🏴\u200d☠\ufe0f ❤\ufe0f 1\ufe0f⃣ 👍🏽"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
SINHALA = "\u0d9a\u0dca\u200d\u0dc2"


@pytest.mark.parametrize(
    "text", [RTL, FAMILY, SCOTLAND, PERSIAN, SINHALA, "a\tb\nc", "\u200f\u05e9\u05dc!", "Zoë, 人, ñ"]
)
def test_every_language_and_emoji_can_be_written(text: str) -> None:
    """Joined emoji, flags, right-to-left text and the joiners of Persian and Sinhala stay whole."""
    assert visible.visible(text) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x00b\x1b[31mc\x7f\x9b", "ab[31mc"),
        ("user\u202enimda", "usernimda"), ("\u2066a\u2069\u200eb", "ab"),
        ("sha\u200blom\ufeff\u00ad", "shalom"), ("a\u200db", "ab"), ("a\u2028b\r\nc\x85d", "a\nb\nc\nd"),
        ("hi" + "".join(chr(0xE0000 + ord(c)) for c in "obey me"), "hi"), ("a" + "\U000e0101\ufe00" * 9, "a"),
        ("😀\ufe0f\ufe0f\ufe0e", "😀\ufe0f"), ("😀\u200d\u200d😀", "😀😀"), ("\u3164\u115f", ""),
        ("a\ufffc\ue000\ufdd0\uffff\U000f0000b", "ab"), ("⠓⠑⠀⠺", "⠓⠑⠀⠺"),
    ],
)  # fmt: skip
def test_what_is_not_seen_is_taken_out(text: str, seen: str) -> None:
    """Nobody hides commands for a terminal, instructions for a model, or a turned word in what is said."""
    assert visible.visible(text) == seen


SMUGGLED = st.text(
    st.sampled_from(
        "aש😀♀1 \n\t\r\x00\x85\u200b\u200c\u200d\u200e\u2028\u202e\ufe0f\ufe0e\u0301\u2800\ufb37ක්\U000e0067"
    )
)


@given(st.one_of(SMUGGLED, st.text()))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    """What is kept is what would be kept again, is no longer than it was, and has no control characters."""
    once = visible.visible(text)
    assert visible.visible(once) == once
    assert len(once) <= len(text)
    assert not any(c < " " and c not in "\n\t" for c in once)
    line = on_one_line(text)
    assert on_one_line(line) == line
    assert "\n" not in line


@pytest.mark.parametrize(
    "text",
    ["", " \t\n", "\u2800", "\ufffc", "\u3164", "\u2800 \u3000", "\u0301", " \u20dd", "\u200d", "\ue000",
     "\U000e0041", "\U0001d159", "\U00013441", "\U00016fe4", "\ufb37", "\ufdd0", "\ufe0f", "\u17b4",
     "\u180b"],
)  # fmt: skip
def test_some_text_says_nothing(text: str) -> None:
    """Blanks of every kind, fillers, marks on nothing and what no font has are no line and no name."""
    assert not visible.has_ink(visible.visible(text))
    assert on_one_line(f" \u0301{text}Ann{text} ").strip(text or " ") == "Ann"


@pytest.mark.parametrize(
    "text", [RTL, FAMILY, SCOTLAND, PERSIAN, SINHALA, "⠓⠑⠀⠺", "?", "\U0001faff", "\u1100\u1161"]
)
def test_what_can_be_seen_says_something(text: str) -> None:
    """Letters of any script, signs and emoji do, those too that Unicode has yet to name."""
    assert visible.has_ink(text)


def test_the_table_of_what_has_no_ink_agrees_with_python() -> None:
    """What Python calls a space, a mark or invisible has no ink, but for the signs around numbers."""
    seen = [c for c in range(0x110000) if visible.has_ink(chr(c))]
    odd = [c for c in seen if chr(c).isspace() or unicodedata.category(chr(c))[0] in "CMZ"]
    assigned = [c for c in odd if unicodedata.category(chr(c)) != "Cn"]
    assert {*assigned} == {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


PIECES = st.sampled_from(
    [*BARE, *(a + b + c for a, b, c in ANNOUNCED), *ORDINARY, MASK, "key", ": ", "is", " ", "\n", "-"]
)


@given(st.lists(PIECES, max_size=8).map(" ".join))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    """A masked text can be cleaned again (by a relay, after a restart) without losing more of it."""
    once = mask_leaks(text)
    assert mask_leaks(once) == once


def test_no_half_of_a_secret_survives_the_cut() -> None:
    """Text is masked before it is cut, so a key that straddles the limit leaves no stump."""
    assert Cleaner().text("x" * 480 + " " + NSEC, 500) == "x" * 480 + " " + MASK


def test_blocked_words_are_starred_out() -> None:
    """The operator's words are masked whole, in any case and width; words that contain them stay."""
    cleaner = Cleaner(("Darn", "mañana"))
    said = "darn! DARN, \uff44\uff41\uff52\uff4e; darned, x_darn, man\u0303ana"
    assert cleaner.text(said, 500) == "****! ****, ****; darned, x_****, *******"
    assert Cleaner().text(said, 500) == said


def test_payloads_are_cleaned_at_every_depth() -> None:
    """Strings and field names anywhere in a request are cleaned; numbers and shapes of it stay."""
    payload = {
        "a": [1, None, {"b\u202e": f"use {NSEC}", "n": 2.5}],
        "apiKey": "abc123def456ghi789",
        "token": "BTC",
    }
    cleaned = {"a": [1, None, {"b": "use ***", "n": 2.5}], "apiKey": MASK, "token": "BTC"}
    assert Cleaner().payload(payload) == cleaned
    fields = {NSEC: 1, BARE[3]: 2, "password": "x"}
    assert Cleaner().payload(fields) == {MASK: 1, f"{MASK}*": 2, "password": MASK}
    deep: Any = "end"
    for _ in range(500):
        deep = [deep]
    assert str(Cleaner().payload(deep)) == "[" * (leaks.DEPTH + 1) + "None" + "]" * (leaks.DEPTH + 1)


def patterns() -> Iterator[Any]:
    for module in (leaks, seedphrase, shapes, visible):
        for value in vars(module).values():
            yield from value if isinstance(value, tuple) else (value,)


def most_steps(node: Any) -> tuple[int, int]:
    """For a parsed pattern: the most characters it reads from one start, and in how many ways it can be read.

    A possessive repetition is read in one way.  An endless one counts once: no shape can begin
    within its own body, so a run of characters is read by one start, not by each.
    """
    steps, ways = 0, 1
    for op, argument in node:
        if op in (opcodes.POSSESSIVE_REPEAT, opcodes.MAX_REPEAT, opcodes.MIN_REPEAT):
            low, high, inner = argument
            inner_steps, inner_ways = most_steps(inner)
            endless = high is opcodes.MAXREPEAT or high == opcodes.MAXREPEAT
            assert not endless or (op is opcodes.POSSESSIVE_REPEAT and inner_steps <= 4), (
                "could read a text twice"
            )
            steps += ways * (1 if endless else int(high)) * inner_steps
            ways *= 1 if op is opcodes.POSSESSIVE_REPEAT else (high - low + 1) * inner_ways
        elif op is opcodes.BRANCH:
            inside = [most_steps(branch) for branch in argument[1]]
            steps += ways * sum(s for s, _ in inside)
            ways *= sum(w for _, w in inside)
        elif op is opcodes.ATOMIC_GROUP:
            steps += ways * most_steps(argument)[0]
        elif op is opcodes.SUBPATTERN:
            inner_steps, inner_ways = most_steps(argument[3])
            steps, ways = steps + ways * inner_steps, ways * inner_ways
        elif op in (opcodes.ASSERT, opcodes.ASSERT_NOT):
            steps += ways * most_steps(argument[1])[0]
        else:
            steps += ways
    return steps, ways


def test_no_pattern_can_be_made_to_read_a_text_again_and_again() -> None:
    """However text is made up, each of its characters is looked at a bounded number of times."""
    found = [p for p in patterns() if isinstance(p, re.Pattern)]
    assert len(found) > 12
    for pattern in found:
        steps, ways = most_steps(parser.parse(pattern.pattern, pattern.flags))
        assert steps < 20_000, pattern.pattern
        assert ways < 2_000, pattern.pattern


@pytest.mark.parametrize(
    "unit",
    ["eyJ-", "secret=", "sk-", "abandon ", "-----BEGIN PRIVATE KEY-----", "bearer ", "😀\u200d", "\u200e",
     "key is ", "://a:",
     "realm1.", "github_pat_", "a" * 31 + " ", "xoxb", " ", "password:1a"],
)  # fmt: skip
def test_the_largest_text_of_the_worst_kind_is_cleaned(unit: str) -> None:
    """64 KiB made to be hard come out cut to the limit, and the work stops a bounded way beyond it."""
    text = (unit * 65_536)[:65_536]
    assert len(mask_leaks(visible.visible(text))) <= len(text)
    assert len(Cleaner().text(text, 500)) <= 500


def test_the_examples_are_what_they_claim() -> None:
    """The keys used here have the form of real ones."""
    assert base64.b64decode(B64.replace("\n", "")[:64])
    assert Mnemonic("english").check(PHRASE)


def test_the_common_words_are_words_and_leave_others_alone() -> None:
    """Each is masked whole and in any case; words that merely hold one are not touched."""
    cleaner = Cleaner(COMMON)
    assert len(set(COMMON)) == len(COMMON)
    for word in COMMON:
        assert re.fullmatch("[a-z]+", word)
        assert cleaner.text(f"You {word.upper()}!", 500) == f"You {'*' * len(word)}!"
    innocent = "Scunthorpe shiitake cockpit assess therapist Niger snigger retardant bitcoin class"
    assert cleaner.text(innocent, 500) == innocent
