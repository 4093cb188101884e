"""Colours as CSS writes them (CSS Color Module Level 4) → ``#rrggbb``, the one way in which they are kept.

Names, hexadecimal notation, rgb(), hsl() and hwb(), old and new spelling; opacity is left out.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable
from typing import Final

_NUMBER: Final = r"[+-]?(?:[0-9]{1,9}\.?[0-9]{0,9}|\.[0-9]{1,9})(?:e[+-]?[0-9]{1,2})?"
_FUNCTION: Final = re.compile(r"(rgb|hsl|hwb)a?\(([^()]*)\)")
_COMPONENT: Final = re.compile(rf"({_NUMBER})(%|deg|grad|rad|turn)?|none")
#: Degrees in one of each unit of an angle.
_DEGREES: Final = {"": 1.0, "deg": 1.0, "grad": 0.9, "rad": 57.29577951308232, "turn": 360.0}


def hexadecimal(text: str) -> str | None:
    """The colour as ``#rrggbb`` in lower case; None for what is none."""
    text = text.strip().lower()
    if text.startswith("#"):
        return _short(text[1:])
    if text == "transparent":
        return "#000000"
    if (named := NAMES.get(text)) is not None:
        return f"#{named}"
    found = _FUNCTION.fullmatch(text)
    return _function(found[1], found[2]) if found is not None else None


def _short(digits: str) -> str | None:
    """#rgb, #rgba, #rrggbb or #rrggbbaa."""
    if not re.fullmatch("[0-9a-f]{3,8}", digits) or len(digits) not in (3, 4, 6, 8):
        return None
    return "#" + ("".join(digit * 2 for digit in digits[:3]) if len(digits) < 6 else digits[:6])


def _function(kind: str, inside: str) -> str | None:
    parts = re.split(r"\s*,\s*|\s*/\s*|\s+", inside.strip())
    if len(parts) not in (3, 4):
        return None
    found = [_COMPONENT.fullmatch(part) for part in parts]
    pairs = [(float(one[1] or 0), one[2] or "") for one in found if one is not None]
    if len(pairs) != len(parts):
        return None
    (first, unit), (second, s_unit), (third, t_unit) = pairs[:3]
    if s_unit not in ("", "%") or t_unit not in ("", "%"):
        return None
    if kind == "rgb":
        if unit not in ("", "%"):
            return None
        return _written(*(_within(n / 100 if u else n / 255) for n, u in pairs[:3]))
    if unit not in _DEGREES:
        return None
    hue = first * _DEGREES[unit] % 360 / 360
    return _MIXED[kind](hue, _within(second / 100), _within(third / 100))


def _hsl(hue: float, saturation: float, lightness: float) -> str:
    return _written(*colorsys.hls_to_rgb(hue, lightness, saturation))


def _hwb(hue: float, white: float, black: float) -> str:
    if white + black >= 1:
        return _written(*(3 * (white / (white + black),)))
    pure = colorsys.hls_to_rgb(hue, 0.5, 1.0)
    return _written(*(part * (1 - white - black) + white for part in pure))


_MIXED: Final[dict[str, Callable[[float, float, float], str]]] = {"hsl": _hsl, "hwb": _hwb}


def _within(share: float) -> float:
    return max(0.0, min(share, 1.0))


def _written(*parts: float) -> str:
    return "#" + "".join(f"{int(part * 255 + 0.5):02x}" for part in parts)


_TABLE: Final = """
aliceblue f0f8ff  antiquewhite faebd7  aqua 00ffff  aquamarine 7fffd4  azure f0ffff  beige f5f5dc
bisque ffe4c4  black 000000  blanchedalmond ffebcd  blue 0000ff  blueviolet 8a2be2  brown a52a2a
burlywood deb887  cadetblue 5f9ea0  chartreuse 7fff00  chocolate d2691e  coral ff7f50
cornflowerblue 6495ed  cornsilk fff8dc  crimson dc143c  cyan 00ffff  darkblue 00008b  darkcyan 008b8b
darkgoldenrod b8860b  darkgray a9a9a9  darkgreen 006400  darkkhaki bdb76b  darkmagenta 8b008b
darkolivegreen 556b2f  darkorange ff8c00  darkorchid 9932cc  darkred 8b0000  darksalmon e9967a
darkseagreen 8fbc8f  darkslateblue 483d8b  darkslategray 2f4f4f  darkturquoise 00ced1  darkviolet 9400d3
deeppink ff1493  deepskyblue 00bfff  dimgray 696969  dodgerblue 1e90ff  firebrick b22222
floralwhite fffaf0  forestgreen 228b22  fuchsia ff00ff  gainsboro dcdcdc  ghostwhite f8f8ff  gold ffd700
goldenrod daa520  gray 808080  green 008000  greenyellow adff2f  honeydew f0fff0  hotpink ff69b4
indianred cd5c5c  indigo 4b0082  ivory fffff0  khaki f0e68c  lavender e6e6fa  lavenderblush fff0f5
lawngreen 7cfc00  lemonchiffon fffacd  lightblue add8e6  lightcoral f08080  lightcyan e0ffff
lightgoldenrodyellow fafad2  lightgray d3d3d3  lightgreen 90ee90  lightpink ffb6c1  lightsalmon ffa07a
lightseagreen 20b2aa  lightskyblue 87cefa  lightslategray 778899  lightsteelblue b0c4de
lightyellow ffffe0  lime 00ff00  limegreen 32cd32  linen faf0e6  magenta ff00ff  maroon 800000
mediumaquamarine 66cdaa  mediumblue 0000cd  mediumorchid ba55d3  mediumpurple 9370db
mediumseagreen 3cb371  mediumslateblue 7b68ee  mediumspringgreen 00fa9a  mediumturquoise 48d1cc
mediumvioletred c71585  midnightblue 191970  mintcream f5fffa  mistyrose ffe4e1  moccasin ffe4b5
navajowhite ffdead  navy 000080  oldlace fdf5e6  olive 808000  olivedrab 6b8e23  orange ffa500
orangered ff4500  orchid da70d6  palegoldenrod eee8aa  palegreen 98fb98  paleturquoise afeeee
palevioletred db7093  papayawhip ffefd5  peachpuff ffdab9  peru cd853f  pink ffc0cb  plum dda0dd
powderblue b0e0e6  purple 800080  rebeccapurple 663399  red ff0000  rosybrown bc8f8f  royalblue 4169e1
saddlebrown 8b4513  salmon fa8072  sandybrown f4a460  seagreen 2e8b57  seashell fff5ee  sienna a0522d
silver c0c0c0  skyblue 87ceeb  slateblue 6a5acd  slategray 708090  snow fffafa  springgreen 00ff7f
steelblue 4682b4  tan d2b48c  teal 008080  thistle d8bfd8  tomato ff6347  turquoise 40e0d0
violet ee82ee  wheat f5deb3  white ffffff  whitesmoke f5f5f5  yellow ffff00  yellowgreen 9acd32
"""
_WORDS: Final = _TABLE.split()
#: Name → rrggbb; where English has two spellings of grey, CSS has both.
NAMES: Final = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
NAMES.update({name.replace("gray", "grey"): value for name, value in NAMES.items() if "gray" in name})
