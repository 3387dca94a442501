"""Retrievers that other distributions bring: entry points of the group `adaptbench.retrievers`.

The value of an entry point is a callable. It is handed the passages of a task and gives what searches them: an index of
its own, or a service elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from bench.core.errors import UsageError
from bench.core.item import Passage
from bench.core.plugins import Plugin, installed, only
from bench.core.search import TUNED, Search

GROUP = "adaptbench.retrievers"
OWN = ("auto", "dense", "lexical", "hybrid")  # what comes with adaptbench


class OutsideIndex(Protocol):
    """What searches passages. It may have an attribute `money`: what its searches cost so far, as prices are given."""

    def search(self, queries: Sequence[str], depth: int) -> Sequence[Sequence[str]]:
        """For each query the ids of at most `depth` passages, each once, best first."""


def names() -> list[str]:
    """The retrievers that are installed, whether they can be used or not."""
    return [plugin.entry.name for plugin in installed(GROUP)]


def plugins() -> dict[Plugin, UsageError | None]:
    """Each entry point, and why it cannot be used; nothing is connected."""
    found: dict[Plugin, UsageError | None] = {}
    for plugin in installed(GROUP):
        try:
            _factory(plugin.entry.name)
            found[plugin] = None
        except UsageError as error:
            found[plugin] = error
    return found


def origin(name: str) -> str:
    """The distribution and version that brings a retriever; "" for adaptbench's own."""
    plugin = only("retriever", name, _claims(name))
    return plugin.origin if plugin else ""


def connect(name: str, passages: Sequence[Passage]) -> OutsideIndex:
    """What the retriever `name` searches `passages` with; raises UsageError whatever goes wrong in it."""
    plugin, make = _factory(name)
    index: OutsideIndex = plugin.guarded(partial(make, passages))
    if not callable(getattr(index, "search", None)):
        raise plugin.refused(f"it gives {type(index).__name__}, which has no search(queries, depth)")
    return index


def _claims(name: str) -> list[Plugin]:
    return [plugin for plugin in installed(GROUP) if plugin.entry.name == name]


def _factory(name: str) -> tuple[Plugin, Maker]:
    plugin = only("retriever", name, _claims(name))
    if plugin is None:
        raise UsageError(f"no retriever {name} is installed")
    if name in (*OWN, *TUNED):
        raise plugin.refused("adaptbench has a retriever of this name; choose another")
    make: Maker = plugin.guarded(plugin.entry.load)
    if not callable(make):
        raise plugin.refused("not callable")
    return plugin, make


class Maker(Protocol):
    """What an entry point names."""

    def __call__(self, passages: Sequence[Passage], /) -> OutsideIndex: ...


class Connector(Protocol):
    """Connects a retriever of another distribution; handed to methods by the harness, which measures it."""

    def __call__(self, name: str, passages: Sequence[Passage]) -> Search: ...


def not_connected(name: str, passages: Sequence[Passage]) -> Search:
    """The connector of whoever searches nothing."""
    raise AssertionError("no retriever is at hand")
