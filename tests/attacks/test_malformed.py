"""What is no proper request, message or frame gets its answer, and nobody else notices."""

from __future__ import annotations

from . import malformed
from .conftest import Withstands


def test_header_smuggling(withstands: Withstands) -> None:
    """No request that a proxy may read in another way is done, and none that hides behind one."""
    withstands(malformed.SMUGGLING)


def test_path_traversal(withstands: Withstands) -> None:
    """No path leads to a file but those of the page."""
    withstands(malformed.TRAVERSAL)


def test_malformed_utf8(withstands: Withstands) -> None:
    """Bytes that are no UTF-8 are refused wherever they stand."""
    withstands(malformed.MALFORMED_UTF8)


def test_deep_json(withstands: Withstands) -> None:
    """JSON that is deep, broad or long is answered, and the connection lives."""
    withstands(malformed.DEEP_JSON)


def test_fuzzed_frames(withstands: Withstands) -> None:
    """Whatever frames come, the realm's own are well-formed, and it closes with codes of the standard."""
    withstands(malformed.FUZZED_FRAMES)
