"""Where the realm is kept: see `interface.IStore`."""
