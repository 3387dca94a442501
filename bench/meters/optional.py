"""Measurements that a cell can do without: what only counts or times does not lose the answers that it goes with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def optional(what: str, measure: Callable[[], T]) -> T | None:
    """What `measure` gives; None where it fails, with the reason as a warning in the log."""
    try:
        return measure()
    except Exception as error:  # of the model's own code, of torch, of the machine
        reason = str(error).strip().partition("\n")[0]
        logging.getLogger(__name__).warning("%s: not recorded: %s: %s", what, type(error).__name__, reason)
        return None
