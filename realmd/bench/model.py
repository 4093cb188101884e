"""What a run is asked to do, and what it found.  Both are plain data: JSON in and out.

Times are seconds, durations of requests and moves milliseconds, memory bytes.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field


class Plan(Struct, frozen=True, kw_only=True):
    """One run against the server at `url`."""

    url: str = "http://127.0.0.1:18800"
    agents: int = 10
    #: Moves a second of each agent.
    rate: float = 10.0
    via: Literal["http", "ws"] = "http"
    viewers: int = 10
    #: `viewport` messages a second of each viewer; the classic page sends one.
    looks: float = 0.0
    #: Length of the measurement, after `ramp` for connecting and `warmup` for settling.
    seconds: float = 30.0
    ramp: float = 0.0
    warmup: float = 2.0
    #: Agents roam from -reach to +reach; None: where a viewer that never moved sees them all.
    reach: float | None = None
    #: Each agent's own WebSocket follows it, and is sampled.
    agents_view: bool = False
    #: Share of the viewers (0 to 1) that offer permessage-deflate.
    deflate: float = 0.0
    #: Share of them that offer realmd's sub-protocol of one message a tick; the same ones first.
    batch: float = 0.0
    #: Viewers a second that leave and are replaced; chat lines a second of the whole crowd.
    churn: float = 0.0
    chat: float = 0.0
    #: The server's process; None: whoever listens on the port, if it is on this machine.
    pid: int | None = None
    soak: bool = False
    seed: int = 1


class Spread(Struct, frozen=True):
    """Percentiles in ms; None without samples."""

    samples: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class Moves(Struct, frozen=True):
    """What became of the moves asked for."""

    asked: int
    sent: int
    #: Not sent, because the agent still waited for its answers.
    skipped: int
    answered: int
    refused: dict[str, int]
    errors: dict[str, int]
    seen: int
    collapsed: int
    unseen: int
    unwatched: int
    unmatched: int


class Stream(Struct, frozen=True):
    """What a kind of WebSocket received: means a viewer a second, bytes as on the wire with frame heads."""

    sockets: int
    frames: float
    bytes: float
    #: Frames of the viewer that got fewest and of the one that got most, over the whole run.
    fewest: int
    most: int


class Server(Struct, frozen=True):
    """The server from outside; `cpu` is percent of one core."""

    pid: int
    cpu: float
    #: Before anybody came; when all had connected; at the end; the most.
    rss_before: int
    rss_connected: int
    rss: int
    rss_peak: int
    pss: int | None
    threads: int
    processes: int
    #: The server's own account of its ticks' work, where it has a /metrics that tells.
    tick_p50: float | None = None
    tick_p99: float | None = None


class Load(Struct, frozen=True):
    """This side: percent of one core, ms that its loop was late, and why its figures may not be trusted."""

    cpu: float
    lag_p99: float
    lag_max: float
    #: Percent of one core that everything else on this machine used meanwhile.
    others: float | None
    bottleneck: list[str]
    loop: str


class Second(Struct, frozen=True):
    """One second of a run; of a long one, one in several."""

    at: float
    moves: float
    frames: float
    bytes: float
    cpu: float | None
    rss: int | None
    p50: float | None
    p99: float | None
    lag: float
    load_cpu: float


class Drift(Struct, frozen=True):
    """Memory of a soak after its warm-up: the last tenth against the first (percent), and the span."""

    percent: float
    least: int
    most: int


class Result(Struct, frozen=True, kw_only=True):
    """One run: what was asked, and what was found."""

    plan: Plan
    seconds: float
    moves: Moves
    latency: Spread
    #: HTTP only: from a move sent to its answer.
    answers: Spread
    viewers: Stream
    deflated: Stream
    agent_sockets: Stream
    #: Bytes that the agents sent, a second and agent.
    upload: float
    #: Closed by the server: close code, or what went wrong, → how often.
    closes: dict[str, int]
    not_connected: dict[str, int]
    server: Server | None
    load: Load
    drift: Drift | None = None
    series: list[Second] = field(default_factory=list)
