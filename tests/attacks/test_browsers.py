"""Pages of other sites get nothing out of the browsers of those who may reach the realm."""

from __future__ import annotations

from . import browsers
from .conftest import Withstands


def test_cross_site_websocket(withstands: Withstands) -> None:
    """A page of another site opens no WebSocket, reads no answer, and speaks for no agent of this host."""
    withstands(browsers.CROSS_SITE)


def test_dns_rebinding(withstands: Withstands) -> None:
    """A site that lets its own name point at the realm is told nothing."""
    withstands(browsers.REBINDING)
