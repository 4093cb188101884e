"""Connections that promise something and do not end it, or say nothing, take no place from others."""

from __future__ import annotations

from . import slow
from .conftest import Withstands


def test_slow_headers(withstands: Withstands) -> None:
    """Hundreds of requests whose headers never end are hung up on in time, and others are served."""
    withstands(slow.HEADERS)


def test_slow_body(withstands: Withstands) -> None:
    """So are those whose bodies come byte by byte."""
    withstands(slow.BODY)


def test_slow_handshake(withstands: Withstands) -> None:
    """And those who want a WebSocket and never say the last of it."""
    withstands(slow.HANDSHAKE)


def test_endless_frames(withstands: Withstands) -> None:
    """Messages without end, in fragments or in one frame of any length, take no memory and no time."""
    withstands(slow.FRAMES)


def test_readers_that_never_read(withstands: Withstands) -> None:
    """Who asks for much and takes nothing is answered no more, and hung up on."""
    withstands(slow.DEAF)


def test_half_open_connections(withstands: Withstands) -> None:
    """5,000 silent connections keep nobody out for longer than it takes to replace them."""
    withstands(slow.HALF_OPEN)
