"""Names that look alike: by case, by look-alike letters, by what is not seen.

After Unicode Technical Standard #39: a name becomes *skeletons*, and names that share one are
confusable.  The table of look-alikes is `confusables`.  For names that nobody may pose under
(`Reserved`), nor does anything count that decorates a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from .confusables import CONFUSABLES
from .ink import IGNORED, MARKS, SPACES, UNASSIGNED

_UNSEEN: Final = re.compile(rf"[{IGNORED}{UNASSIGNED}\t\n]")
_SPACE: Final = re.compile(rf"[{SPACES}]++")
#: A letter that looks like ASCII, and whatever marks are put on it.
_MARKED: Final = re.compile(rf"(?<=[!-~])[{MARKS}]++")
#: What parts a name has: nothing that belongs in one stands between them.
_BETWEEN: Final = re.compile(rf"[^\w\s'.{MARKS}-]|(?<=\s)-(?=\s)")
#: Accents and strokes put on Latin, Greek and Cyrillic letters; marks of other scripts are letters.
_ACCENTS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
#: Letters in boxes and small capitals are letters, which neither NFKC nor the table says of these.
_BOXED: Final = {chr(start + n): chr(65 + n) for start in (0x1F150, 0x1F170, 0x1F1E6) for n in range(26)}
_SMALL: Final = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
_LETTERS: Final = str.maketrans({**CONFUSABLES, **_BOXED, **_SMALL})
_AS_SEEN: Final = str.maketrans({"0": "O", "1": "l", "I": "l", "|": "l", "m": "rn", "w": "vv"})
_FOLDED: Final = str.maketrans({"0": "o", "1": "l", "|": "l", "m": "rn", "w": "vv"})


def skeletons(name: str) -> frozenset[str]:
    """What `name` (at most some 100 characters) looks like, as keys to be compared.

    Two keys, for two readers: one who sees "I", "l" and "1" as the same stroke, and one for whom
    upper and lower case are the same.  Names that share a key look alike.
    """
    return _keys(_plain(name))


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


class Reserved:
    """Names that nobody else may go by, nor by anything that is read as one of them.

    Punctuation, symbols and blanks count for nothing ("Shalom.", "S h a l o m", "[system]"), and each
    part of a name counts ("Shalom (NPC)", "admin | Ann").  `prefixes` are reserved with all that may
    follow them.
    """

    def __init__(self, names: Iterable[str], prefixes: Iterable[str] = ()) -> None:
        self._keys = {key for name in names for key in _keys(_bare(_plain(name)))}
        self._prefixes = tuple({key for prefix in prefixes for key in _keys(prefix)})

    def like(self, name: str) -> bool:
        """Whether `name` could be taken for one of them."""
        plain = _plain(name)
        for part in {plain, *(part.strip() for part in _BETWEEN.split(plain))}:
            seen = _keys(part)
            if self._keys & (seen | _keys(_bare(part))):
                return True
            if any(key.startswith(self._prefixes) for key in seen):
                return True
        return False


def _plain(name: str) -> str:
    """`name` as it is seen, in ASCII wherever it looks like it."""
    seen = _UNSEEN.sub("", unicodedata.normalize("NFKC", name))
    seen = _ACCENTS.sub("", unicodedata.normalize("NFD", seen))
    seen = _MARKED.sub("", _MARKED.sub("", seen).translate(_LETTERS))
    return " ".join(_SPACE.sub(" ", seen).split())


def _bare(plain: str) -> str:
    """Its letters, digits and marks alone; all of it, if it has none."""
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LNM") or plain


def _keys(plain: str) -> frozenset[str]:
    folded = unicodedata.normalize("NFKC", "".join(map(_folded, plain)))
    return frozenset((plain.translate(_AS_SEEN), folded.translate(_FOLDED)))


def _folded(character: str) -> str:
    """Case-folded; a small letter that looks like nothing may look like something when it is a capital."""
    if character.isascii():
        return character.lower()
    capital = CONFUSABLES.get(character.upper())
    return (capital or character).casefold()
