"""Settings of the realm's watch over itself."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .base import AN_ADDRESS, WEB, Seconds, Section


class Alerts(Section, frozen=True):
    """Alerts: whom the realm tells when it is not well; /health and the log always know."""

    webhook: Annotated[
        str,
        Meta(pattern=WEB, description="Address that gets each alert as a JSON POST.", extra=AN_ADDRESS),
    ] = ""
    email: Annotated[
        str,
        Meta(
            pattern=r'^([^\s@<>,;"\'\-][^\s@<>,;"\']*@[A-Za-z0-9][A-Za-z0-9.\-]*)?$',
            description="Address that gets each alert as a mail, through sendmail.",
            extra={"allowed": "a mail address, or nothing"},
        ),
    ] = ""
    sendmail: Annotated[
        str,
        Meta(
            pattern=r"^/[^\x00]+$",
            description="The program that takes mails, called as sendmail(8) is.",
            extra={"allowed": "an absolute path"},
        ),
    ] = "/usr/sbin/sendmail"
    smtp: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9.\-]+:\d{1,5}|\[[0-9A-Fa-f:]+\]:\d{1,5})?$",
            description="A mail server on this machine that takes them instead of sendmail, in plain SMTP.",
            extra={"allowed": "HOST:PORT, or nothing"},
        ),
    ] = ""
    operator_npub: Annotated[
        str,
        Meta(
            pattern=r"^(npub1[02-9ac-hj-np-z]{58})?$",
            description="Nostr key that gets each alert as a direct message.",
            extra={"allowed": "an npub, or nothing"},
        ),
    ] = ""
    min_interval_s: Annotated[
        Seconds, Meta(description="Each of them is told at most once in so long, with all that gathered.")
    ] = 60.0
    sentry_dsn: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s/@:]+@[^\s/@]+(/[^\s/]+)+)?$",
            description="Sentry project that gets what fails.",
            extra={"allowed": "a DSN like https://KEY@HOST/PROJECT, or nothing"},
        ),
    ] = ""
    connections: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="WebSockets to expect; more raise an alert.  0: 1.5 a seat."),
    ] = 0
    memory_mb: Annotated[
        int,
        Meta(
            ge=0,
            le=1_048_576,
            description="Memory the realm may use; 0: what its control group or the machine has.",
        ),
    ] = 0
