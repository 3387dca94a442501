"""What other distributions bring: entry points of `adaptbench.methods`, `adaptbench.tasks`, `adaptbench.executors`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from bench.core.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point of another distribution."""

    entry: EntryPoint
    origin: str  # the distribution and its version

    def refused(self, reason: str) -> UsageError:
        """One line that names the distribution, the entry point and why it cannot be used."""
        return UsageError(f"{self.origin}: {self.entry.group} {self.entry.name} = {self.entry.value}: {reason}")

    def guarded(self, action: Callable[[], T]) -> T:
        """What `action`, which runs code of the distribution, gives; raises UsageError whatever goes wrong there."""
        try:
            return action()
        except (Exception, SystemExit) as error:
            first = (str(error).splitlines() or [""])[0]
            raise self.refused(f"{type(error).__name__}: {first}") from error


@cache
def installed(group: str) -> tuple[Plugin, ...]:
    """The entry points of `group`, by name; nothing of the distributions is imported."""
    found = [Plugin(entry, _origin(entry)) for entry in entry_points(group=group)]
    return tuple(sorted(found, key=lambda plugin: (plugin.entry.name, plugin.origin)))


def only(what: str, name: str, claims: Iterable[Plugin]) -> Plugin | None:
    """The plugin that brings `name`, if any; raises UsageError where several do."""
    claims = list(claims)
    if len(claims) > 1:
        origins = " and ".join(plugin.origin for plugin in claims)
        raise UsageError(f'{what} "{name}" is in {origins}; uninstall all but one of them')
    return claims[0] if claims else None


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed distribution"
