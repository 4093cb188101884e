"""Settings of what the realm says on Nostr relays; which relays these are, `room.relays` says."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from .base import PATH, Section

#: The key's name in the state folder, and among systemd's credentials.
KEY_NAME: Final = "nostr-key"


class Nostr(Section, frozen=True):
    """Nostr: what is published on the relays of the room."""

    enabled: Annotated[
        bool, Meta(description="Connect to the relays of room.relays; without relays nothing is published.")
    ] = True
    key_file: Annotated[
        str,
        Meta(
            pattern=PATH,
            description="File of the realm's secret key (nsec or hex), relative to state_dir.  "
            "Empty: the systemd credential nostr-key if there is one, else nostr-key in state_dir, "
            "made at the first start.",
            extra={"allowed": "a path, or nothing"},
        ),
    ] = ""
    sync_interval_s: Annotated[
        float,
        Meta(
            ge=1, le=60, description="How often all positions are published together, while somebody moves."
        ),
    ] = 5.0
    snapshot_interval_s: Annotated[
        float,
        Meta(ge=10, le=3600, description="How often a snapshot of all positions is left for late joiners."),
    ] = 60.0
    discovery_interval_s: Annotated[
        float,
        Meta(ge=30, le=600, description="How often the room is announced; readers forget it after 900 s."),
    ] = 300.0
    log_interval_s: Annotated[
        float,
        Meta(ge=1, le=3600, description="How often new public events are added to the durable log."),
    ] = 10.0
    events_per_second: Annotated[
        float,
        Meta(
            ge=0.1,
            le=1000,
            description="Events published to one relay a second, after a burst of ten; raise it only for "
            "relays whose operators let you.",
        ),
    ] = 0.8
    publish_log: Annotated[
        bool, Meta(description="Publish the durable log, from which the realm can be rebuilt.")
    ] = True
    publish_messages: Annotated[
        bool, Meta(description="Publish what is said and done as messages of the room's channel, too.")
    ] = True
    nip05: Annotated[
        str,
        Meta(
            pattern=r"^([a-z0-9._-]{1,64})?$",
            description="The realm's name at the host of public_url (NIP-05); _ is the host itself.  "
            "Empty: none.",
            extra={"allowed": "a-z, 0-9, dot, _ and -, or nothing"},
        ),
    ] = "_"

    def key_path(self, state: Path) -> Path | None:
        """The file that was named for the key, as an absolute path."""
        return state / os.path.expanduser(self.key_file) if self.key_file else None
