"""The rules, one family a file.  A rule takes (world, command, caller) and returns what happened.
The time is `world.now`.

It refuses by raising `errors.Refused`; whatever it had changed by then is taken back.
"""

from . import board, catalogue, movement, presence, sanctions, speech, work

__all__ = ["board", "catalogue", "movement", "presence", "sanctions", "speech", "work"]
