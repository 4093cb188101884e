"""What the tests of the clockwork share."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from realmd.protocol import dialects, encode
from realmd.protocol import frames as protocol_frames


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many values were encoded as JSON, and how many frames were made of them."""
    count: Counter[str] = Counter()

    def counted(what: str, function: Any) -> Any:
        def count_one(*args: Any) -> Any:
            count[what] += 1
            return function(*args)

        return count_one

    monkeypatch.setattr(encode, "encode", counted("json", encode.encode))
    monkeypatch.setattr(dialects, "text_frame", counted("frames", protocol_frames.text_frame))
    return count
