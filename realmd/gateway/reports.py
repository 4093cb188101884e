"""What is told over HTTP beside the realm: its health, metrics and status; the board of another site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from .request import Handler, Request

SVG: Final = b"image/svg+xml; charset=utf-8"
BROWSE: Final = b"/api/clawhub/browse"


Report = Callable[[], dict[str, Any]]


def pages(
    health: Report, status: Report, badge: Callable[[], bytes], metrics: Callable[[], bytes], kind: bytes
) -> dict[bytes, Handler]:
    """Path → handler, for the HTTP door.

    `health` and `status` give the answers of /health, 503 while it says "failed", and of /api/status;
    `badge` an SVG; `metrics` a text of the content type `kind`.
    """

    def tell_health(request: Request) -> None:
        report = health()
        request.answer(report, 503 if report["status"] == "failed" else 200)

    def tell_ready(request: Request) -> None:
        failed = health()["status"] == "failed"
        request.answer({"status": "not ready" if failed else "ready"}, 503 if failed else 200)

    def show_badge(request: Request) -> None:
        request.header(b"cache-control", b"no-cache")
        request.header(b"cross-origin-resource-policy", b"cross-origin")  # it stands in other pages
        request.send(badge(), SVG)

    return {
        b"/health": tell_health,
        b"/health/live": lambda request: request.answer({"status": "alive"}),
        b"/health/ready": tell_ready,
        b"/metrics": lambda request: request.send(metrics(), kind),
        b"/api/status": lambda request: request.answer(status()),
        b"/status.svg": show_badge,
    }


def elsewhere(board: str, catalogue: str, clock: IReactorTime) -> dict[bytes, Handler]:
    """The pages that other sites fill: the board, if it has an upstream, and the catalogue to browse."""
    found: dict[bytes, Handler] = {BROWSE: _nothing}
    # Not at the top: they load Twisted's HTTP client.
    if board:
        from .feed import Feed

        found |= Feed(board, clock).pages()
    if catalogue:
        from .browse import Browse

        found[BROWSE] = Browse(catalogue, clock).tell
    return found


def _nothing(request: Request) -> None:
    """What there is to browse where no site is configured."""
    request.answer({"ok": True, "data": {"items": []}})
