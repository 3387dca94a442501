"""The served report: it grows with its run, and answers this machine and the token alone."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from bench.cli import cli
from bench.core.errors import UsageError
from bench.report.html import page
from bench.report.live import HOST, LiveReport
from bench.store import lease
from bench.store.run_folder import read_run
from tests.history.made import made


@contextmanager
def served(*runs: Path, idle_s: float = 60.0) -> Iterator[LiveReport]:
    report = LiveReport(runs, idle_s=idle_s)
    thread = threading.Thread(target=report.serve)
    thread.start()
    try:
        yield report
    finally:
        report.stop()
        thread.join(10)
        assert not thread.is_alive()


def get(url: str) -> str:
    with urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def refused(report: LiveReport, path: str, host: str | None = None, method: str = "GET") -> int:
    request = Request(f"http://{HOST}:{report.port}{path}", headers={"Host": host} if host else {}, method=method)
    with pytest.raises(HTTPError) as refusal:
        urlopen(request, timeout=10)
    body = refusal.value.read()
    assert b"zero-shot" not in body
    refusal.value.close()
    return refusal.value.code


def test_the_page_grows_with_its_run(tmp_path: Path) -> None:
    folder = tmp_path / "run1"
    with served(folder) as report:
        assert "There is no run at" in get(report.url)
        first = json.loads(get(f"{report.url}state"))
        assert first["going"]
        made(tmp_path, 1, {"zero-shot": [1.0, 0.0, 1.0]})
        second = json.loads(get(f"{report.url}state"))
        assert second["version"] != first["version"]
        assert "zero-shot" in get(report.url)
        assert "few-shot" not in get(report.url)
        shutil.rmtree(folder)
        made(tmp_path, 1, {"zero-shot": [1.0, 0.0, 1.0], "few-shot": [1.0, 1.0, 1.0]})
        third = json.loads(get(f"{report.url}state"))
        assert third["version"] != second["version"]
        assert not third["going"]  # no process drives it
        assert "few-shot" in get(report.url)


def test_a_run_without_a_cell_says_so(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"zero-shot": [1.0]})
    next((run.path / "cells").iterdir()).rename(tmp_path / "away")
    with served(run.path) as report:
        assert "No cell is measured yet." in get(report.url)
        assert "0 of 1 cells measured" in get(report.url)


def test_it_is_the_page_of_the_report(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"zero-shot": [1.0, 0.0, 1.0], "few-shot": [1.0, 1.0, 1.0]})
    with served(run.path) as report:
        found = get(report.url)
    main = page.html([read_run(run.path)]).partition("<main>")[2].partition("</main>")[0]
    assert main in found
    assert "connect-src &#39;self&#39;" in found
    assert "connect-src" not in page.html([run])  # a file asks for nothing


def test_who_does_not_know_the_token_is_refused(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"zero-shot": [1.0]})
    with served(run.path) as report:
        for path in ("/", "/state", "/wrong/", "/wrong/state", "//", "/%00/", f"/{report.token[:-1]}/", "*", "/\xe9/"):
            with socket.create_connection((HOST, report.port), timeout=10) as connection:
                request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{report.port}\r\n\r\n"
                connection.sendall(request.encode("latin-1"))
                assert connection.makefile("rb").readline() == b"HTTP/1.0 403 Forbidden\r\n", path


def test_other_names_of_this_machine_are_refused(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"zero-shot": [1.0]})
    with served(run.path) as report:
        for host in (f"evil.example:{report.port}", "evil.example", HOST, f"{HOST}:{report.port + 1}", "", "localhost"):
            assert refused(report, f"/{report.token}/", host or " ") == 403
        with urlopen(Request(report.url, headers={"Host": f"localhost:{report.port}"}), timeout=10) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_nothing_but_the_page_and_its_state_is_served(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"zero-shot": [1.0]})
    with served(run.path) as report:
        for path in ("run.json", "../run.json", "state/", "%2e%2e/run.json", "cells"):
            assert refused(report, f"/{report.token}/{path}") == 404
        assert refused(report, f"/{report.token}") == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert refused(report, f"/{report.token}/", method=method) == 501


def test_it_listens_on_the_loopback_interface_and_each_has_its_own_token(tmp_path: Path) -> None:
    with served(tmp_path / "a") as one, served(tmp_path / "b") as other:
        assert one._server.server_address[0] == "127.0.0.1"
        assert len(one.token) >= 32
        assert one.token != other.token


def test_it_ends_by_itself_once_nobody_asks(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"zero-shot": [1.0]})
    report = LiveReport([run.path], idle_s=0.2)
    thread = threading.Thread(target=report.serve, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        get(report.url)


def test_it_goes_on_while_the_run_is_driven(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"zero-shot": [1.0]})
    driven = lease.hold(run.path / lease.FOLDER, lambda owner: UsageError(str(owner)))
    with driven, served(run.path, idle_s=0.1) as report:
        time.sleep(1.2)
        assert json.loads(get(f"{report.url}state"))["going"]
        assert "Running: 1 of 1 cells measured" in get(report.url)


def test_what_cannot_be_read_is_said_on_the_page(tmp_path: Path) -> None:
    run = made(tmp_path, 1, {"zero-shot": [1.0]})
    record = next(run.path.glob("cells/*/record.json"))
    record.write_text('{"schema": 99, "status": "ok"}')
    with served(run.path) as report:
        found = get(report.url)
    assert "The run cannot be read now" in found
    assert "schema 99" in found


@pytest.mark.parametrize("more", [["--port", "8000"], ["--serve", "--json"], ["--serve", "--html", "a.html"]])
def test_serving_stands_alone(tmp_path: Path, more: list[str]) -> None:
    ended = CliRunner().invoke(cli, ["report", str(tmp_path), *more])
    assert ended.exception is not None
    assert "--serve goes with --port alone" in str(ended.exception)


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with served(tmp_path / "run") as report:
        ended = CliRunner().invoke(cli, ["report", str(tmp_path / "run"), "--serve", "--port", str(report.port)])
    assert f"port {report.port}: Address already in use" in str(ended.exception)
