"""Settings of what one client, one address and one network may ask of the doors."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .base import Section

Rate = Annotated[
    float, Meta(ge=0.1, le=1_000_000, extra={"unit": "requests and messages a second, each up to 4 KiB"})
]
Share = Annotated[int, Meta(ge=1, le=1_000_000)]


class Limits(Section, frozen=True):
    """Limits: what strangers may ask of the doors.  Programs on this host are held to the first only."""

    connection_rate: Annotated[Rate, Meta(description="Share of one connection.")] = 500.0
    address_rate: Annotated[
        Rate, Meta(description="Share of one address (IPv6: one /64), all its connections together.")
    ] = 1200.0
    network_rate: Annotated[
        Rate, Meta(description="Share of one network (IPv4: /24, IPv6: /48), all its addresses together.")
    ] = 3000.0
    burst_s: Annotated[
        float,
        Meta(ge=1, le=60, description="Seconds' worth of a share that may come at once."),
    ] = 1.0
    flood_refusals: Annotated[
        int,
        Meta(ge=1, le=100_000, description="A connection that was refused so often in 10 s is closed."),
    ] = 100
    address_registrations: Annotated[
        Share, Meta(description="New agentIds of one address an hour; of one network four times as many.")
    ] = 100
    address_seats_percent: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Part of the seats that agents of one address may have.",
            extra={"unit": "percent"},
        ),
    ] = 50
    network_seats_percent: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Part of the seats that agents of one network, or of all relays, may have.",
            extra={"unit": "percent"},
        ),
    ] = 75
    address_connections: Annotated[Share, Meta(description="Connections open from one address.")] = 250
    network_connections: Annotated[Share, Meta(description="Connections open from one network.")] = 1000
    spectators_percent: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Part of server.max_connections that may be WebSockets that speak for nobody.",
            extra={"unit": "percent"},
        ),
    ] = 75
    connection_queries: Annotated[
        Share, Meta(description='Queries of one WebSocket that wait for an answer; more are "busy".')
    ] = 64
    queries: Annotated[
        Share, Meta(description='Queries of all that wait for an answer; more are "busy".')
    ] = 1000
    in_flight_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=1 << 40,
            description="Made for clients and not taken by their sockets, in all; 0: a quarter of the memory "
            "that the process may use.",
        ),
    ] = 0
    address_in_flight_bytes: Annotated[
        int,
        Meta(ge=1_048_576, le=1 << 40, description="The same for one address, all its connections together."),
    ] = 33_554_432
    tracked: Annotated[
        int,
        Meta(
            ge=100,
            le=1_000_000,
            description="Addresses, and networks, whose shares are kept; newcomers beyond share one.",
        ),
    ] = 10_000
