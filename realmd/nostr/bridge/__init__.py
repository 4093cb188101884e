"""The realm on Nostr relays: its key, what it publishes, and what is remembered of that."""
