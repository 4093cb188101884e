"""The Nostr bridge put together, and what an operator does with its key and its log."""
