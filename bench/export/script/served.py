"""Answers items by the endpoint that was measured, with Python alone. What is asked goes there.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the prompt's template as texts and, where items have their own,
"choices". "id" is repeated in the answer. `--prompts` prints the requests, and sends none.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from blocks import plain, turns, written
from command_line import main
from reading import asked, read
from template import fill, question


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.said, self.url = settings, settings["prompt"], base or settings["base"]["path"]
        self.retriever = None
        if self.said["retrieval"]:
            from retrieval import Retriever

            self.retriever = Retriever(self.said["retrieval"], Path(__file__).parent)

    def prompt(self, item: dict[str, Any]) -> dict[str, Any]:
        """The body of the request."""
        said, choices = self.said, self.choices(item)
        found = self.retriever.find(fill(said["query"], item).strip()) if self.retriever else []
        blocks, about = [*said["examples"], *reversed(within(found, said["characters"]))], question(said, item, choices)
        conversation = [
            {"role": role, "content": text}
            for role, text in turns(said["instruction"], blocks, about, said["single_turn"])
        ]
        whole = plain(said["instruction"], blocks, about)
        body: dict[str, Any] = asked(self.settings["reader"], said, conversation, whole, choices)
        return {**self.settings["request"], **body}

    def choices(self, item: dict[str, Any]) -> list[str]:
        """The choices of an item; none of a task of texts."""
        return (item.get("choices") or self.settings["choices"]) if self.settings["kind"] == "choice" else []

    def answer(self, item: dict[str, Any]) -> str | None:
        """The answer to an item; None where the endpoint gives none that can be read."""
        headers = {"Content-Type": "application/json"}
        if self.settings["key_env"]:
            headers["Authorization"] = f"Bearer {os.environ[self.settings['key_env']]}"
        content = json.dumps(self.prompt(item)).encode()
        with urlopen(Request(self.url + self.settings["path"], content, headers), timeout=300) as reply:
            answer: str | None = read(self.settings, json.load(reply), self.choices(item))
        return answer


def within(blocks: list[dict[str, str]], characters: float | None) -> list[dict[str, str]]:
    """As many blocks, from the first on, as go into so many characters."""
    taken = 0
    for count, block in enumerate(blocks):
        taken += len(written(block))
        if characters is not None and taken > characters:
            return blocks[:count]
    return blocks


if __name__ == "__main__":
    main(Answers)
