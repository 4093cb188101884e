"""Links to Nostr relays (NIP-01, 11, 13, 42): `pool.Pool` is the door to all of them."""
