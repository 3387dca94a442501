"""Foreign text as LaTeX, in ASCII: every sign is set as itself, and none is a command."""

from __future__ import annotations

import re
import unicodedata

from bench.metrics.formats import clean

_COMMANDS = {
    "\\": "textbackslash",
    "^": "textasciicircum",
    "~": "textasciitilde",
    "<": "textless",  # in LaTeX's first font the places of these three hold other signs
    ">": "textgreater",
    "|": "textbar",
    "–": "textendash",
    "—": "textemdash",
    "“": "textquotedblleft",
    "”": "textquotedblright",
    "…": "ldots",
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
}
_MATHEMATICS = {"×": "times", "±": "pm", "·": "cdot", "≤": "leq", "≥": "geq", "→": "to"}
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0304": "=",
    "\u0306": "u", "\u0307": ".", "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
_SIGNS = {
    **{sign: f"\\{sign}" for sign in "{}$&#%_"},
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # behind the end of a row they would be read as its options
    **{sign: f"\\{name}{{}}" for sign, name in _COMMANDS.items()},
    **{sign: f"$\\{name}$" for sign, name in _MATHEMATICS.items()},
    "‘": "`",
    "’": "'",
}
_LIGATURES = re.compile(r"([-`',])(?=\1)|([?!])(?=`)")  # "--" would be set as one dash


def escaped(text: object) -> str:
    """`text` on one line; a sign that LaTeX's first font has not as its code point, "(U+4E2D)"."""
    return _LIGATURES.sub(r"\g<0>{}", "".join(map(_sign, clean(text))))


def _sign(sign: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isascii():
        return sign
    apart = unicodedata.normalize("NFD", sign)
    if len(apart) == 2 and re.match("[A-Za-z]", apart) and apart[1] in _ACCENTS:
        return f"\\{_ACCENTS[apart[1]]}{{{apart[0]}}}"
    return f"(U+{ord(sign):04X})"
