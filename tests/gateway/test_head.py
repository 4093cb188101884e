"""What the head of a request means, whatever reads it from the wire."""

from __future__ import annotations

import pytest

from realmd.gateway.head import BadHost, accepts_gzip, asks_for_websocket, may_look_in, resolve


@pytest.mark.parametrize(
    ("target", "hosts", "version", "meant"),
    [
        (b"/a?b=//c", [b"realm.example:80"], b"HTTP/1.1", (b"/a?b=//c", b"realm.example:80")),
        (b"/", [], b"HTTP/1.0", (b"/", None)),
        (b"*", [b"[::1]:18800"], b"HTTP/1.1", (b"*", b"[::1]:18800")),
        (b"http://realm.example/a?b", [b"else"], b"HTTP/1.1", (b"/a?b", b"realm.example")),
        (b"HTTPS://[::1]:8080?b", [b"x"], b"HTTP/1.1", (b"/?b", b"[::1]:8080")),
        (b"http://realm.example", [], b"HTTP/1.0", (b"/", b"realm.example")),
        (b"//realm.example/a", [b"x"], b"HTTP/1.1", (b"//realm.example/a", b"x")),
        (b"/", [b"under_score.example."], b"HTTP/1.1", (b"/", b"under_score.example.")),
    ],
)
def test_a_target_in_any_form_is_read(
    target: bytes, hosts: list[bytes], version: bytes, meant: tuple[bytes, bytes | None]
) -> None:
    """Origin form or absolute, a request is for one path at one host; the target's host comes first."""
    assert resolve(target, hosts, version) == meant


@pytest.mark.parametrize(
    ("target", "hosts", "version"),
    [
        (b"/", [], b"HTTP/1.1"),
        (b"http://realm.example/", [], b"HTTP/1.1"),  # the header is missing all the same
        (b"/", [b"a", b"a"], b"HTTP/1.1"),
        (b"/", [b"a", b"b"], b"HTTP/1.0"),
        *(
            (b"/", [host], b"HTTP/1.1")
            for host in (
                b"", b" ", b"a b", b"a, b", b"a/b", b"user@a", b"a:b", b"a:65536", b"a:1:2", b"[::1", b"::1",
                b"[127.0.0.1]", b"[::g]", b"a\\b", b"caf\xc3\xa9", b"a?b", b"a#b", b"<a>", b"x" * 400, b".",
            )
        ),
        *((b"http://%b/" % host, [b"a"], b"HTTP/1.1") for host in (b"", b"user@a", b"a b", b"a:x", b"[::1")),
    ],
)  # fmt: skip
def test_a_host_that_is_missing_doubled_or_none_is_refused(
    target: bytes, hosts: list[bytes], version: bytes
) -> None:
    """What two readers could understand in two ways is nobody's request (RFC 9112, section 3.2)."""
    with pytest.raises(BadHost):
        resolve(target, hosts, version)


@pytest.mark.parametrize(
    ("accepted", "gzip"),
    [
        (b"gzip", True), (b"gzip, deflate, br", True), (b"br;q=1.0, GZIP;q=0.001", True), (b"x-gzip", True),
        (b"*", True), (b"gzip;q=0, *", False), (b"*;q=0, gzip", True), (b"gzip ; q=1", True),
        (b"", False), (b"gzip;q=0", False), (b"gzip;q=0.000", False), (b"gzip; q=0 , br", False),
        (b"GZIP;Q=0", False), (b"identity", False), (b"notgzip", False), (b"*;q=0", False),
        (b"gzip;q=nonsense", False),
    ],
)  # fmt: skip
def test_gzip_is_sent_to_who_wants_it(accepted: bytes, gzip: bool) -> None:
    """A client that says q=0 gets none (RFC 9110, section 12.5.3)."""
    assert accepts_gzip(accepted) is gzip


@pytest.mark.parametrize(
    ("origins", "allowed", "may"),
    [
        ([], {b"https://a"}, True), ([b"null"], {b"*"}, True), ([b"null"], {b"null"}, True),
        ([b"null"], {b"https://a"}, False), ([b"null"], set(), False), ([b""], {b"https://a"}, False),
        ([b"https://a"], {b"https://a"}, True), ([b"http://realm"], set(), True), ([b"realm"], set(), False),
        ([b"https://b", b"https://a"], {b"https://a"}, False),
    ],
)  # fmt: skip
def test_pages_of_other_sites_may_what_is_configured(
    origins: list[bytes], allowed: set[bytes], may: bool
) -> None:
    """The realm's own pages always, others and those without a site if they are listed, or all are."""
    assert may_look_in(origins, b"realm", allowed) is may


def test_only_http_1_1_becomes_a_websocket() -> None:
    """An upgrade in HTTP/1.0 is no upgrade (RFC 9110, section 7.8)."""
    assert asks_for_websocket(b"WebSocket", b"HTTP/1.1")
    assert not asks_for_websocket(b"websocket", b"HTTP/1.0")
    assert not asks_for_websocket(None, b"HTTP/1.1")
