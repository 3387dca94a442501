"""A server on this machine that answers as a test says, counts what it is asked, and can fail in every usual way."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Sent:
    """What the server sends back."""

    content: Mapping[str, Any] | str = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    cut: bool = False  # the connection is closed in the middle of the content


@dataclass
class Asked:
    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    at: float


Script = Callable[[str, dict[str, Any], int], Sent]  # address, content, how many requests came before


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.asked: list[Asked] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that was killed


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(body)

    def do_GET(self) -> None:
        self._answer({})

    def _answer(self, body: dict[str, Any]) -> None:
        path = self.path.removeprefix("/v1")
        with self.server.lock:
            before = len(self.server.asked)
            self.server.asked.append(Asked(path, body, dict(self.headers), time.monotonic()))
        sent = self.server.script(path, body, before)
        if sent.wait_s:
            time.sleep(sent.wait_s)
        text = sent.content if isinstance(sent.content, str) else json.dumps(sent.content)
        content = text.encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **sent.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        whole = f"HTTP/1.1 {sent.status} -\r\n{head}\r\n".encode() + content
        self.wfile.write(whole[: -len(content) // 2] if sent.cut else whole)
        self.close_connection = sent.cut

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def serving(script: Script) -> Iterator[Server]:
    server = Server(script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def said(text: str | None, prompt: int = 10, output: int = 2, model: str = "m", **message: Any) -> dict[str, Any]:
    """A chat completion."""
    return {
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": text, **message}}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": output},
    }


def completed(text: str) -> dict[str, Any]:
    """A text completion."""
    return {
        "model": "m",
        "choices": [{"index": 0, "text": text}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }


def echoes(body: Mapping[str, Any], value: Callable[[str], float]) -> dict[str, Any]:
    """A text completion that echoes its prompts, tokens being words with the space before them, and adds a token."""
    choices = []
    for index, prompt in enumerate(body["prompt"]):
        parts = [(match.start(), match[0]) for match in re.finditer(r"\s*\S+", prompt)]
        tokens = [*(text for _, text in parts), " more"]
        logs = {
            "tokens": tokens,
            "text_offset": [*(start for start, _ in parts), len(prompt)],
            "token_logprobs": [None, *(value(token.strip()) for token in tokens[1:])],
        }
        choices.append({"index": index, "text": prompt + " more", "logprobs": logs})
    return {"model": "m", "choices": choices, "usage": {"prompt_tokens": 30, "completion_tokens": len(choices)}}


def decides(body: Mapping[str, Any], share: Callable[[str, Sequence[str]], float]) -> dict[str, Any]:
    """An answer of /decisions; `share` of a choice among the others."""
    question = body["questions"][0]
    names = [choice["value"] for choice in question["choices"]]
    shares = [{"value": name, "probability": share(name, names)} for name in names]
    best = max(shares, key=lambda one: float(one["probability"]))["value"]
    answer = {"type": "choice", "name": "answer", "choice": best, "confidence": 0.5, "probabilities": shares}
    usage = {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 0}
    return {"model": "m", "answers": [answer], "usage": usage}


NOT_FOUND = Sent({"error": "not found"}, 404)
