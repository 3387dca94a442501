"""The report served as a page that grows with its runs: to this machine alone, behind a random token.

The page is that of `bench.report.html`, with a line that says how far the runs are and a script that asks for it. The
server reads the run folders anew when a cell is finished, changes no record, and takes nothing but GET.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from bench.core.errors import AdaptbenchError, UsageError
from bench.metrics.formats import clean
from bench.report.html import page
from bench.report.html.blocks import Paragraph, Section
from bench.store import lease, status
from bench.store.listing import RUN_FILE
from bench.store.run_folder import RECORD, cell_folders, read_run

HOST = "127.0.0.1"
IDLE_S = 300.0  # without a request, after which the server ends if its runs have
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # what may be loaded, the page itself says
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class State:
    """How far some runs are."""

    version: str  # another when a cell is finished
    going: bool  # whether more is to come
    says: str
    driven: bool = False  # whether a process measures one of them now


def state(runs: Sequence[Path]) -> State:
    """How far `runs` are, from their folders and archives."""
    each = [_state(run) for run in runs]
    version = hashlib.sha256("\n".join(one.version for one in each).encode()).hexdigest()[:16]
    several = len(runs) > 1
    says = [f"{clean(run.name)}: {one.says}" if several else one.says for run, one in zip(runs, each, strict=True)]
    return State(version, any(one.going for one in each), " ".join(says), any(one.driven for one in each))


def _state(run: Path) -> State:
    if run.is_file():
        return State("archive", False, "An archive: it does not change.")
    if not (run / RUN_FILE).is_file():
        return State("", True, f"There is no run at {clean(run)} yet; the page fills when it begins.")
    try:
        found = status.status(run)
    except (AdaptbenchError, OSError) as error:
        return State("unreadable", True, f"The run cannot be read now: {clean(str(error))}")
    driven = found.driver is not None and (found.silent_s or 0.0) < lease.SILENCE_S
    measured = found.ok + len(found.failed)
    counts = f"{found.ok} of {found.cells} cells measured, {len(found.failed)} failed"
    if driven:
        says = f"Running: {counts}, {len(found.under_way)} under way. The page grows with each cell."
    elif measured:
        end = "The run has ended" if measured == found.cells else "Nobody measures this run now"
        says = f"{end}: {counts}. The page no longer changes; load it again after another adaptbench run."
    else:
        says = f"{counts}; the page fills when the run begins."
    return State(_version(run), driven or not measured, says, driven)


def _version(run: Path) -> str:
    """Another when a cell is published, measured again or taken out of the suite."""
    files = [run / RUN_FILE, *sorted(run / "cells" / folder.name / RECORD for folder in cell_folders(run).values())]
    return "\n".join(f"{file} {file.stat().st_mtime_ns}" for file in files if file.is_file())


def html(runs: Sequence[Path], now: State) -> str:
    """The report of what `runs` hold now, or a page that says what is missing."""
    live = page.Live(now.says, now.version)
    try:
        there = [read_run(run) for run in runs if run.is_file() or (run / RUN_FILE).is_file()]
        if any(run.records for run in there):
            return page.html(there, live=live)
        problem = "No cell is measured yet." if there else now.says
    except (AdaptbenchError, OSError) as error:  # a run that was damaged, or removed while it was read
        problem = f"The run cannot be read now: {clean(error)}"
    title = ", ".join(dict.fromkeys(clean(run.name) for run in runs))
    waiting = Section("waiting", "Nothing to show yet", "", (Paragraph(problem),))
    return page.write(title, "waiting", [], [waiting], skip="Skip to what is known", live=live)


class LiveReport:
    """A server of the page of some runs, bound to a port of this machine; `serve` answers until it is over.

    Raises:
        UsageError: the port is taken, or not allowed.
    """

    def __init__(self, runs: Sequence[Path], port: int = 0, idle_s: float = IDLE_S) -> None:
        self.runs, self.idle_s = tuple(runs), idle_s
        self.token = secrets.token_urlsafe(24)
        self._asked = time.monotonic()
        self._lock = threading.Lock()
        self._page: tuple[str, bytes] = ("", b"")  # of a version
        self._stop = threading.Event()
        try:
            self._server = _Server((HOST, port), partial(_Handler, self))
        except OSError as error:
            raise UsageError(f"port {port}: {error.strerror}; leave --port out for a free one") from None

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What a browser on this machine opens."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def _repr_html_(self) -> str:
        return f'<a href="{self.url}" target="_blank" rel="noreferrer">{self.url}</a>'

    def start(self) -> Self:
        """`serve` in a thread that ends with the process."""
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self) -> None:
        """Answer until `stop`, or until the runs have ended and nobody has asked for `idle_s`."""
        try:
            while not self._stop.is_set() and not self._over():
                self._server.handle_request()
        finally:
            self._server.server_close()

    def stop(self) -> None:
        """End `serve`, from another thread, at once."""
        self._stop.set()

    def _over(self) -> bool:
        if time.monotonic() - self._asked < self.idle_s:
            return False
        self._asked = time.monotonic()  # where a run goes on, it is looked at again after as long a time
        return not state(self.runs).driven

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """(content type, body) of a path below the token; None where there is nothing."""
        self._asked = time.monotonic()
        if path not in ("", "state"):
            return None
        with self._lock:  # a page takes seconds where a run is large: it is made once
            now = state(self.runs)
            if path == "state":
                return "application/json", json.dumps(asdict(now)).encode()
            if self._page[0] != f"{now.version} {now.says}":
                self._page = f"{now.version} {now.says}", html(self.runs, now).encode()
            return "text/html; charset=utf-8", self._page[1]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    timeout = 0.2  # s, between two looks at whether it is over

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away while it is answered is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """Answers who asks this machine by its own name and knows the token, and nobody else."""

    timeout = 10  # s, of a connection that says nothing
    server_version, sys_version = "adaptbench", ""

    def __init__(self, report: LiveReport, *given: object) -> None:
        self.report = report
        super().__init__(*given)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        token, slash, rest = self.path.removeprefix("/").partition("/")
        if self.headers.get("Host") not in (f"{HOST}:{self.report.port}", f"localhost:{self.report.port}"):
            return self._refuse(HTTPStatus.FORBIDDEN)  # a name that was pointed at this machine (DNS rebinding)
        if not hmac.compare_digest(token.encode(), self.report.token.encode()):
            return self._refuse(HTTPStatus.FORBIDDEN)
        found = self.report.answer(rest) if slash else None
        return self._refuse(HTTPStatus.NOT_FOUND) if found is None else self._send(HTTPStatus.OK, *found)

    def _refuse(self, code: HTTPStatus) -> None:
        self._send(code, "text/plain; charset=utf-8", f"{code.value} {code.phrase}\n".encode())

    def _send(self, code: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(code)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *given: object) -> None:
        """Nothing: standard error is the user's."""
