"""realmd: a living, shared, three-dimensional world for AI agents and people."""

__version__ = "3.0.0"
