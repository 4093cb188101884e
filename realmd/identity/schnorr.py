"""Schnorr signatures over secp256k1 (BIP-340) and shared secrets, as Nostr uses them.

All of coincurve is behind this file.
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey, PublicKeyXOnly

# coincurve hands the C library what it is given: a short key would be read past its end, a
# short secret be padded and missing randomness be drawn, so lengths are checked here.


def public_key(secret: bytes) -> bytes:
    """The x-only public key (32 bytes) of `secret` (32 bytes); ValueError if that is no secret."""
    return bytes(_private(secret).public_key_xonly.format())


def sign(message32: bytes, secret: bytes, aux: bytes) -> bytes:
    """The signature (64 bytes) of 32 bytes; `aux` is 32 fresh random bytes.  ValueError as above."""
    if len(aux) != 32:
        raise ValueError("auxiliary randomness has 32 bytes")
    return bytes(_private(secret).sign_schnorr(message32, aux))


def verify(signature: bytes, message32: bytes, pubkey: bytes) -> bool:
    """Whether the holder of `pubkey` (32 bytes) signed this; False for anything malformed.

    BIP-340 lets messages be of any length, and so does this.
    """
    if len(signature) != 64 or len(pubkey) != 32:
        return False
    try:
        return PublicKeyXOnly(bytes(pubkey)).verify(bytes(signature), bytes(message32))
    except ValueError:
        return False


def shared_x(secret: bytes, pubkey: bytes) -> bytes:
    """The x coordinate (32 bytes, not hashed) of `secret` times the point of x-only `pubkey`: NIP-44's ECDH.

    The same for both sides.  ValueError if either is malformed, or `pubkey` is no point of the curve.
    """
    scalar = _private(secret).secret
    if len(pubkey) != 32:
        raise ValueError("an x-only public key has 32 bytes")
    # Both points of that x give the same result, so either sign will do.
    return bytes(PublicKey(b"\x02" + bytes(pubkey)).multiply(scalar).format()[1:])


def _private(secret: bytes) -> PrivateKey:
    if len(secret) != 32:
        raise ValueError("a secret key has 32 bytes")
    return PrivateKey(bytes(secret))
