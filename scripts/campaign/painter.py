"""A served model that names colours, on a port of this machine that it prints; it ends with its parent."""

from __future__ import annotations

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Painter(BaseHTTPRequestHandler):
    """A served model that names the colour of the last thing it is told of."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": "m", "max_model_len": 1000}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions") or "response_format" in body:
            self._send(404, {"error": "not found"})
            return
        last = body["messages"][-1]["content"]
        answer = next((colour for colour in ("red", "green", "blue") if colour in last), "red")
        message = {"index": 0, "finish_reason": "stop", "message": {"content": f"It is {answer}."}}
        usage = {"prompt_tokens": 20, "completion_tokens": 4}
        self._send(200, {"model": "m", "choices": [message], "usage": usage})

    def _send(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: Any) -> None:
        return


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


class Server(ThreadingHTTPServer):
    """Says nothing of clients that were killed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


if __name__ == "__main__":
    served = Server(("127.0.0.1", 0), Painter)
    print(served.server_address[1], flush=True)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    served.serve_forever()
