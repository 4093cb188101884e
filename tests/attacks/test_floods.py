"""Who sends more than its share waits for itself; others do not."""

from __future__ import annotations

from . import floods
from .conftest import Withstands


def test_flood_by_one_address(withstands: Withstands) -> None:
    """Many connections of one address that ask at full speed for what costs most are refused, and closed."""
    withstands(floods.ONE_ADDRESS)


def test_flood_by_many_addresses(withstands: Withstands) -> None:
    """A hundred networks, none of which is beyond its share, get what others leave of the realm's time."""
    withstands(floods.MANY_ADDRESSES)


def test_large_messages(withstands: Withstands) -> None:
    """64 KiB messages at full speed are bounded by their bytes."""
    withstands(floods.LARGE)


def test_compressed_bombs(withstands: Withstands) -> None:
    """Kilobytes that inflate to megabytes are inflated no further than a message may be long."""
    withstands(floods.BOMBS)


def test_connect_disconnect_storm(withstands: Withstands) -> None:
    """Thousands of connections a second that end at once disturb nobody who is connected."""
    withstands(floods.STORM)
