"""The world: pure rules over plain data.  `now` (ms since the epoch) and `rng` come in as arguments."""
