"""The doors: sockets, and nothing else."""
