"""What those who share an address and a network notice of each other."""

from __future__ import annotations

from twisted.internet.task import Clock

from realmd.gateway.limits import RateLimits, Refusal
from realmd.gateway.peers import peer_at
from realmd.primitives.bucket import LONGEST_DEBT
from realmd.settings.limits import Limits

STRANGER = "198.51.100.7"


def test_a_network_is_charged_no_more_than_its_address_can_owe() -> None:
    """One address that causes whatever it likes leaves the others of its network their share."""
    clock = Clock()
    rates = RateLimits(Limits(address_rate=10.0, network_rate=30.0, burst_s=1.0), clock)
    one, other = peer_at(STRANGER), peer_at("198.51.100.8")
    throttle = rates.throttle()
    for _ in range(100):
        throttle.owe(one, 2.0**62)
    refused = throttle.admit(one, "http", shared=True)
    assert refused is not None
    assert (refused.limit, refused.wait <= LONGEST_DEBT + 0.1) == ("address", True)
    clock.advance(3.0)  # 110 were taken of the network, which had 30
    assert rates.throttle().admit(other, "http") is None


def test_no_wait_that_is_told_is_longer_than_a_minute() -> None:
    """A client that sleeps for as long as it is told is back within a minute, registrations included."""
    for wait, seconds, told in ((0.1, 1, "in 1 s"), (59.5, 60, "in 60 s"), (1800.0, 60, "later")):
        refusal = Refusal("registrations", wait)
        assert refusal.seconds == seconds
        assert refusal.text.endswith(f"try again {told}")
