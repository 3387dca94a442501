"""What a request of each reader holds of an item, and the answer that is read of its reply."""

from __future__ import annotations

import json
import re
from typing import Any

from naming import named

_THOUGHT = re.compile(r"^\s*<think>.*?</think>\s*", re.DOTALL)


def asked(
    reader: str, said: dict[str, Any], conversation: list[dict[str, str]], text: str, choices: list[str]
) -> dict[str, Any]:
    """The fields of a request that differ between items; its other fields are the same for all."""
    if reader == "completion":
        return {"prompt": text}
    if reader == "echo":
        return {"prompt": [text + said["before_answer"] + choice for choice in choices]}
    if reader in ("chat", "schema"):
        return {"messages": conversation} | (schema(choices) if reader == "schema" else {})
    told, instruction = said["instruction"], said["instruction"] or said["generic"]
    state = text.removeprefix(f"{told}\n\n") if told else text
    if reader == "systemone":
        options = {"type": "choice", "instructions": instruction, "criteria": dict.fromkeys(choices)}
        return {"state": state, "questions": {"answer": options}}
    values = [{"value": choice} for choice in choices]
    options = {"type": "choice", "name": "answer", "instructions": instruction, "choices": values}
    return {"input": state, "questions": [options]}


def schema(choices: list[str]) -> dict[str, Any]:
    """An answer that can only be one of the choices, as the field of a JSON object."""
    enumerated = {"type": "object", "properties": {"answer": {"type": "string", "enum": choices}}}
    whole = {**enumerated, "required": ["answer"], "additionalProperties": False}
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": whole}}
    }


def read(settings: dict[str, Any], content: dict[str, Any], choices: list[str]) -> str | None:
    """The answer; None where it is refused, filtered, names no choice, or cannot be read."""
    reader = settings["reader"]
    if reader in ("decisions", "systemone"):
        answers = content["answers"]
        found = (answers[0] if isinstance(answers, list) else answers["answer"]).get("probabilities")
        if isinstance(found, list):
            found = {each["value"]: each["probability"] for each in found}
        return max(choices, key=lambda choice: found[choice]) if found else None
    if reader == "echo":
        return likeliest(content["choices"], choices, settings["prompt"]["before_answer"], settings["rule"])
    first = content["choices"][0]
    text = first["message"].get("content") if "message" in first else first.get("text")
    if text is None or first.get("finish_reason") == "content_filter" or (first.get("message") or {}).get("refusal"):
        return None
    text = _THOUGHT.sub("", text)
    if reader == "schema":
        answer = json.loads(text)["answer"]
        return answer if answer in choices else None
    places = [place for place in map(text.find, settings["stop"]) if place >= 0]
    text = text[: min(places, default=len(text))].strip()
    choice: str | None = named(text, choices) if choices else text
    return choice


def likeliest(echoes: list[dict[str, Any]], choices: list[str], before: str, rule: str) -> str:
    """The choice whose tokens behind the prompt, which is echoed, are the likeliest."""
    values = []
    for echo, choice in zip(sorted(echoes, key=lambda echo: echo["index"]), choices, strict=True):
        logs, text = echo["logprobs"], echo["text"]
        begun = text.rindex(before + choice)
        ends = [*logs["text_offset"][1:], len(text)]
        tokens = zip(logs["token_logprobs"], logs["text_offset"], ends, strict=True)
        inside = [value for value, start, end in tokens if start < begun + len(before + choice) and end > begun]
        values.append(sum(inside) / {"tokens": len(inside), "chars": len(choice)}.get(rule, 1))
    return choices[max(range(len(values)), key=lambda place: values[place])]
