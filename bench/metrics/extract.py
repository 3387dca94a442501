"""The answer in a generated text, where a model writes more than the answer."""

from __future__ import annotations

import json
import re

from bench.core.task import Extract

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?|\d+(?:,\d{3})*(?:\.\d+)?")


def extract(rule: Extract, text: str) -> str:
    """The part of `text` that a rule takes for the answer; "" where there is none.

    `first_line`: the first line that is not blank. `last_number`: the last number, without the commas of thousands.
    `json`: the first JSON object or array. `regex`: the first match, or its first group where the pattern has groups.
    """
    if rule.rule == "first_line":
        return next((line.strip() for line in text.splitlines() if line.strip()), "")
    if rule.rule == "last_number":
        return next(reversed(_NUMBER.findall(text)), "").replace(",", "")
    if rule.rule == "json":
        return _json(text)
    match = re.search(rule.pattern, text)
    return ((match[1] if match.re.groups else match[0]) or "").strip() if match else ""


def _json(text: str) -> str:
    for start in re.finditer(r"[{\[]", text):
        try:
            _, end = json.JSONDecoder().raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        return text[start.start() : end]
    return ""
