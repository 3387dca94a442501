"""Which choice a written text names."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[^\w]+")


def named(text: str, choices: list[str]) -> str | None:
    """The choice that a text is, or else the only one that its first paragraph names; None for none.

    Case, punctuation and white space do not count, nor a choice that stands within a longer one that is named.
    """
    first = text.strip().partition("\n\n")[0].strip()
    if first in choices:
        return first
    said, plain = _plain(first), [_plain(choice) for choice in choices]
    if said.strip() and plain.count(said) == 1:
        return choices[plain.index(said)]
    within = [place for place, choice in enumerate(plain) if choice.strip() and choice in said]
    longest = [i for i in within if not any(i != j and plain[i] in plain[j] for j in within)]
    return choices[longest[0]] if len(longest) == 1 else None


def _plain(text: str) -> str:
    return f" {_WORDS.sub(' ', text.casefold()).strip()} "
