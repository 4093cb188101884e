"""The machine underneath: its clocks, files, secrets, logs and network, as the daemon meets them."""
