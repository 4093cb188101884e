"""Wire dialects: pure functions between bytes and commands, queries and events."""
