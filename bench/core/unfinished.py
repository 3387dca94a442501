"""What a cell has done so far, in a folder that outlives its process: where the cell was stopped it goes on from there.

```
<folder>/state-<n>/   the latest state: about.json, and what the training under way has written beside it
<folder>/curve/       weights at some steps, see bench.training.checkpoints
```
A state is written under another name, synced and renamed; then older ones are removed. It is taken up only by a cell
with the same key, under the same versions of what computes it. The first is written after a minute, and writing takes
a fiftieth of the time at most, so a short cell leaves none.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.core.atomic import sync
from bench.core.hashing import canonical
from bench.core.measured import Resumed

INTERVAL_S = 60.0  # between two states, at least
SHARE = 50  # the interval in times of what writing the last state took, at least
_ABOUT, _STATE, _CURVE = "about.json", "state-", "curve"
Fill = Callable[[Path], Mapping[str, Any]]  # writes files into a folder, and gives what else is to be known of them


@dataclass
class Unfinished:
    """The states of a cell; with no `folder` none is kept. `of`: what a state is only good for."""

    folder: Path | None = None
    of: Mapping[str, Any] = field(default_factory=dict)
    _trials: dict[str, Any] = field(default_factory=dict)  # that have ended, by name
    _training: tuple[Path, dict[str, Any]] | None = None  # of an attempt before: its state, and what is known of it
    _stops: int = 0
    _taken_over: dict[str, float] = field(default_factory=dict)
    _last: float = 0.0  # when the last state was written, or this began
    _took: float = 0.0

    def __post_init__(self) -> None:
        """Read the latest state, where an attempt before has left one."""
        self._last = time.monotonic()
        states = self._states()
        with suppress(OSError, ValueError, KeyError, TypeError):  # what cannot be read is not gone on with
            about = json.loads((states[-1] / _ABOUT).read_text(encoding="utf-8")) if states else {}
            if about and canonical(about["of"]) == canonical(dict(self.of)):
                self._trials, self._stops = dict(about["trials"]), int(about["stops"]) + 1
                self._training = (states[-1], about["training"]) if about["training"] else None

    @property
    def curve(self) -> Path | None:
        """Where weights at some steps are kept."""
        return self.folder / _CURVE if self.folder else None

    @property
    def resumed(self) -> Resumed | None:
        """What this attempt took over; None where it began with nothing."""
        if not self._taken_over:
            return None
        step = self._taken_over.get("step")
        trials, seconds = self._taken_over.get("trials", 0), self._taken_over["seconds"]
        return Resumed(self._stops, seconds, int(trials), None if step is None else int(step))

    def trial(self, name: str) -> Any:
        """What a trial came to in an attempt before, None where it had not ended."""
        return self._trials.get(name)

    def ended(self, name: str, trial: Any) -> None:
        """Keep what a trial came to, a JSON value."""
        self._trials[name] = trial
        self.save_when_due(lambda folder: {})

    def training(self, name: str) -> tuple[Path, dict[str, Any]] | None:
        """The files of the training of that name as an attempt before left them, and what is known of them; once."""
        found = self._training
        if found is None or found[1].get("name") != name:
            return None
        self._training = None
        return found

    def took_over(self, seconds: float, *, trials: int = 0, step: int | None = None) -> None:
        """Note what did not have to be done again, for the record."""
        known = self._taken_over
        known["seconds"] = known.get("seconds", 0.0) + seconds
        known["trials"] = known.get("trials", 0) + trials
        if step is not None:
            known["step"] = step

    def save_when_due(self, fill: Fill) -> None:
        """Write a state where the last one is old enough; a disk that is full or away leaves the one before."""
        if self.folder is None or time.monotonic() - self._last < max(INTERVAL_S, SHARE * self._took):
            return
        start = time.monotonic()
        hidden = self.folder / f".{secrets.token_hex(8)}"
        try:
            hidden.mkdir(parents=True)
            about = {"of": dict(self.of), "trials": self._trials, "stops": self._stops, "training": fill(hidden)}
            (hidden / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
            self._publish(hidden)
        except (OSError, RuntimeError) as error:  # torch words what a disk refuses as a RuntimeError
            if "out of memory" in str(error):
                raise
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        self._last = time.monotonic()
        self._took = self._last - start

    def _publish(self, hidden: Path) -> None:
        for file in (*hidden.rglob("*"), hidden):
            sync(file)
        older = self._states()
        number = 1 + max((int(state.name.removeprefix(_STATE)) for state in older), default=0)
        hidden.rename(hidden.with_name(f"{_STATE}{number:06d}"))
        sync(hidden.parent)
        for state in (*older, *hidden.parent.glob(".*")):  # hidden: what a kill has left half-written
            shutil.rmtree(state, ignore_errors=True)

    def _states(self) -> list[Path]:
        """States that were written whole, the latest last."""
        return sorted(self.folder.glob(f"{_STATE}*")) if self.folder else []
