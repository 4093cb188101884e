"""Names that look alike: by case, by look-alike letters, by what is not seen.

After Unicode Technical Standard #39: a name becomes *skeletons*, and names that share one are
confusable.  The table of look-alikes is `confusables`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from .confusables import CONFUSABLES
from .visible import INVISIBLE

_UNSEEN: Final = re.compile(rf"[{INVISIBLE}\t\n]")
#: Accents and strokes put on Latin, Greek and Cyrillic letters; marks of other scripts are letters.
_ACCENTS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_LETTERS: Final = {ord(look_alike): plain for look_alike, plain in CONFUSABLES.items()}
_AS_SEEN: Final = str.maketrans({"0": "O", "1": "l", "I": "l", "|": "l", "m": "rn", "w": "vv"})
_FOLDED: Final = str.maketrans({"0": "o", "1": "l", "|": "l", "m": "rn", "w": "vv"})


def skeletons(name: str) -> frozenset[str]:
    """What `name` (at most some 100 characters) looks like, as keys to be compared.

    Two keys, for two readers: one who sees "I", "l" and "1" as the same stroke, and one for whom
    upper and lower case are the same.  Names that share a key look alike.
    """
    seen = _UNSEEN.sub("", unicodedata.normalize("NFKC", name))
    seen = _ACCENTS.sub("", unicodedata.normalize("NFD", seen))
    plain = " ".join(seen.translate(_LETTERS).split())
    folded = unicodedata.normalize("NFKC", "".join(map(_folded, plain)))
    return frozenset((plain.translate(_AS_SEEN), folded.translate(_FOLDED)))


class Likeness:
    """Who goes by which name, found by what the name looks like, at the same cost however many they are."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[str, frozenset[str]]] = {}
        self._owners: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, owner: str, name: str) -> None:
        """From now on `owner` goes by `name`, and by no other."""
        known = self._keys.get(owner)
        if known is not None and known[0] == name:
            return
        self.drop(owner)
        keys = skeletons(name)
        self._keys[owner] = name, keys
        for key in keys:
            self._owners.setdefault(key, {})[owner] = None

    def drop(self, owner: str) -> None:
        """Forget `owner`, if it is known."""
        for key in self._keys.pop(owner, ("", frozenset()))[1]:
            owners = self._owners[key]
            del owners[owner]
            if not owners:
                del self._owners[key]

    def like(self, name: str, but: str | None = None) -> str | None:
        """An owner whose name looks like `name`, other than `but`."""
        for key in sorted(skeletons(name)):
            for owner in self._owners.get(key, ()):
                if owner != but:
                    return owner
        return None


def _folded(character: str) -> str:
    """Case-folded; a small letter that looks like nothing may look like something when it is a capital."""
    if character.isascii():
        return character.lower()
    capital = CONFUSABLES.get(character.upper())
    return (capital or character).casefold()
