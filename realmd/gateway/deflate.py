"""permessage-deflate (RFC 7692) as it is spoken here: each message stands alone."""

from __future__ import annotations

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

from ..protocol.dialects import WINDOW_BITS


class Deflate(PerMessageDeflateOfferAccept):
    """An accepted offer that says, even if it was not asked, that each message stands alone."""

    def get_extension_string(self) -> str:
        extension: str = super().get_extension_string()
        told = "server_no_context_takeover"
        return extension if told in extension else f"{extension}; {told}"


def accept_deflate(offers: list[PerMessageDeflateOffer], limit: int) -> PerMessageDeflateOfferAccept | None:
    """permessage-deflate without context take-over, or nothing; messages of at most `limit` bytes."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            # A window smaller than ours would have to be kept for this client alone.
            if 0 < offer.request_max_window_bits < WINDOW_BITS:
                continue
            accepted = Deflate(offer, max_message_size=limit)
            # The client's messages stand alone, too: one that is too long can be passed over.
            # It need not have offered that (RFC 7692, 7.1.1.2), though Autobahn thinks so.
            accepted.request_no_context_takeover = True
            return accepted
    return None
