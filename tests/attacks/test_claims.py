"""What somebody only claims costs nobody else anything, and gives no rights."""

from __future__ import annotations

from . import claims
from .conftest import Withstands


def test_claimed_lengths(withstands: Withstands) -> None:
    """A frame that claims more than may come is refused by its header, and no neighbour pays for it."""
    withstands(claims.CLAIMS)


def test_requests_for_nobody(withstands: Withstands) -> None:
    """A request that does not clearly say to whom it goes is refused, and one that does is not."""
    withstands(claims.FOR_NOBODY)


def test_unknown_proxies(withstands: Withstands) -> None:
    """No proxy that adds a header of whatever name makes its clients programs of the realm's host."""
    withstands(claims.PROXIES)
