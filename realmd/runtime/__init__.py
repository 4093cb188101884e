"""Clocks and queues between the doors and the world."""
