"""The rules, one family a file.  A rule takes (world, command, now) and returns what happened.

It refuses by raising `errors.Refused`; whatever it had changed by then is taken back.
"""

from . import board, catalogue, movement, presence, sanctions, speech, work

__all__ = ["board", "catalogue", "movement", "presence", "sanctions", "speech", "work"]
