"""What a name of a suite or a task may be: it becomes the name of a folder and stands in reports."""

from __future__ import annotations

import re

LONGEST_NAME = 80  # characters; a file's name may have 255 bytes, and others are put beside it
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
NAME_RULE = f"letters, digits, dots, hyphens and underscores, at most {LONGEST_NAME}; the first a letter or digit"


def as_name(text: str) -> str:
    """`text` with what a name may not have replaced; "unnamed" where nothing is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip("._-")[:LONGEST_NAME] or "unnamed"
