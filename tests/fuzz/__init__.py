"""A structured, seeded fuzz of the daemon's doors: docs/security.rst, "Fuzzing"."""
