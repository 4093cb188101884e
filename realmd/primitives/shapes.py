"""Secrets told by their shape alone, wherever they stand: one table for what agents say and for logs.

Each shape is its issuer's: a prefix that ordinary text does not have, and a length.  None of them
can be made to read a text twice: what repeats is bounded or possessive (never given back), and a
shape can only begin where the character before is none of its body.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"

#: (what it is, how it looks)
SHAPES: Final[tuple[tuple[str, str], ...]] = (
    ("private key of Nostr (NIP-19), plain or encrypted (NIP-49)",
     r"(?<![^\W_])(?:(?i:n(?:crypt)?sec1)[02-9ac-hj-np-zAC-HJ-NP-Z]{20,}+)"),
    ("token of a realm", r"(?<![\w-])realm1\.[\w-]{8,}+\.[\w-]{8,}+"),
    ("key of OpenAI and those with its prefix", r"(?<![\w-])sk-[A-Za-z0-9]{32,}+(?![\w-])"),
    ("key of OpenAI, Anthropic or OpenRouter, with its kind",
     r"(?<![\w-])sk-(?:proj|svcacct|admin|ant-[a-z]{2,8}\d\d|or-v1)-[\w-]{20,}+"),
    ("key of Stripe", r"(?<![^\W_])(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}+"),
    ("access key of AWS", r"(?<![^\W_])(?:AKIA|ASIA)[A-Z2-7]{16}(?![^\W_])"),
    ("token of GitHub", r"(?<![^\W_])(?:gh[oprsu]_[A-Za-z0-9]{36,}+|github_pat_\w{50,}+)"),
    ("token of GitLab", r"(?<![\w-])gl(?:pat|ptt|rt|dt|cbt)-[\w-]{20,}+"),
    ("token of Slack", r"(?<![\w-])x(?:ox[abeoprs]|app)-[A-Za-z0-9-]{10,}+"),
    ("key of Google", r"(?<![\w-])AIza[\w-]{35}(?![\w-])"),
    ("OAuth token of Google", r"(?<![\w-])ya29\.[\w-]{30,}+"),
    ("token of Hugging Face, npm, PyPI, Groq or DigitalOcean",
     r"(?<![\w-])(?:hf_[A-Za-z]{34}|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}+|gsk_[A-Za-z0-9]{40,}+"
     r"|do[opr]_v1_[0-9a-f]{64})"),
    ("key of SendGrid", r"(?<![\w-])SG\.[\w-]{22}\.[\w-]{43}"),
    ("token of a Telegram bot", r"(?<![\w-])\d{8,10}:AA[\w-]{33}(?![\w-])"),
    ("key of age", r"(?<![^\W_])AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}"),
    ("extended private key (BIP-32)", r"(?<![^\W_])[xyzt]prv[1-9A-HJ-NP-Za-km-z]{100,}+"),
    ("JSON Web Token", r"(?<![\w-])eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+(?:\.[\w-]*+)?+"),
)  # fmt: skip

_ANY: Final = re.compile("|".join(f"(?:{shape})" for _, shape in SHAPES), re.ASCII)
_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
#: A line of the body of a private key; prose that only names the header has none.
_BODY: Final = re.compile(r"[A-Za-z0-9+/]{32}")


def mask_shapes(text: str) -> str:
    """`text` with every secret that is known by its shape replaced by `MASK`."""
    if "PRIVATE KEY" in text:
        text = _mask_keys(text)
    return _ANY.sub(MASK, text)


def _mask_keys(text: str) -> str:
    """Private keys in PEM armour; of one that was cut off, all that follows."""
    kept, at = [], 0
    while begin := _PEM.search(text, at):
        end = _PEM_END.search(text, begin.end())
        stop, following = (end.start(), end.end()) if end else (len(text), len(text))
        body = _BODY.search(text, begin.end(), stop)
        kept += [text[at : begin.start()], MASK if body else text[begin.start() : following]]
        at = following
    return "".join([*kept, text[at:]])
