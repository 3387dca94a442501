"""A model's chat template: conversations as the text that the model reads.

What a template can carry, and how it opens and closes an answer, is seen on a trial conversation that the template
itself renders; nothing is read into its source. A template gets the same date on every day, so that a cell can be
measured again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.core.errors import CellError
from bench.core.hashing import sha256
from bench.core.model_kind import LANGUAGE_MODELS
from bench.core.prompt import Turn
from bench.model.resolve import ResolvedModel

VERSION = 1  # raise it when conversations would be rendered otherwise than before
DATE = datetime(2026, 1, 1, 12)  # what a template that writes today's date is told
_DATE_CODES = "aAbBcdHIjmMpSUwWxXyYZ"
_SYSTEM = Turn("system", 'Grüße & <tag>: answer "yes" or {no}.\nSecond line of it.')
_USER = Turn("user", "First thing: 3 + 4\n\n  kept 'as' it is\nSum:")
_ANSWER = Turn("assistant", "seven, i.e. 7")
# What opens and closes a thought, and the text that closes one which has come to no end.
_THINKING = tuple(
    (open_, close, f"\n{close}\n\n")
    for open_, close in (
        ("<think>", "</think>"),
        ("[THINK]", "[/THINK]"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<seed:think>", "</seed:think>"),
    )
)
_CHANNELS = (
    "<|channel|>analysis<|message|>",
    "<|end|>",
    "<|end|><|start|>assistant<|channel|>final<|message|>",
)


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a model thinks: the texts that open and close a thought, and what closes one that has come to no end."""

    open: str
    close: str
    ending: str


class ChatTemplate:
    """The chat template of a tokenizer.

    `options` are handed to the template, `source`. `closing` is the text that ends an answer, and `gap` the spaces that
    part an answer from the end of `opening`. `thinking` is None where the template writes none. `unranked` says why
    choices cannot be ranked behind it; "" where they can.

    Raises:
        CellError: the template does not carry a prompt.
    """

    def __init__(self, tokenizer: Any, options: Mapping[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        self._options = dict(options or {})
        self.source = _dated(tokenizer.get_chat_template())
        self._names_system = bool(re.search(r"""(["'])system\1""", self.source))
        self.thinking = next((Thinking(*texts) for texts in (*_THINKING, _CHANNELS) if texts[0] in self.source), None)
        self._system, self._parts = self._shape()
        self._lead, self.gap, self.closing, self.unranked = self._ends((_SYSTEM, _USER))

    @property
    def trial(self) -> str:
        """A fixed conversation as the template renders it: whatever changes prompts changes it too."""
        return self.opening((_SYSTEM, _USER)) + self.gap + _ANSWER.content + self.closing

    def opening(self, turns: Sequence[Turn], *, thinks: bool = False) -> str:
        """The text that `turns` come to, up to where the answer begins; thinking is closed unless the model `thinks`.

        Raises:
            CellError: the template refuses the conversation, or leaves something of it out.
        """
        text = self._render(turns, asks=True, thinks=thinks)
        lost = _not_carried(turns, text)
        if lost is not None:
            raise CellError(f"the model's chat template drops or changes the text {_quoted(lost)}; {_REMEDY}")
        return (text if thinks else text + self._lead).rstrip(" \t")

    def settings(self, *, thinks: bool = False) -> dict[str, Any]:
        """What renders the same conversations elsewhere, with `source` as the tokenizer's template."""
        options = {"enable_thinking": thinks, "thinking": thinks, **self._options}
        lead = "" if thinks else self._lead
        return {"system": self._system, "parts": self._parts, "lead": lead, "options": options}

    def _shape(self) -> tuple[bool, bool]:
        """Whether the template takes a system turn, and whether it wants content as a list of parts."""
        reasons = []
        for system in (True, False) if self._names_system else (False,):
            for parts in (False, True):
                self._system, self._parts = system, parts
                try:
                    lost = _not_carried((_SYSTEM, _USER), self._render((_SYSTEM, _USER), asks=True))
                except CellError as error:
                    reasons.append(str(error))
                    continue
                if lost is None:
                    return system, parts
                reasons.append(f"the model's chat template drops or changes the text {_quoted(lost)}; {_REMEDY}")
        raise CellError(reasons[-2])  # of the plainest form: one user turn, content as text

    def _ends(self, turns: Sequence[Turn]) -> tuple[str, str, str, str]:
        """What follows the generation prompt before an answer, the spaces at its end, what closes the answer, and why
        choices cannot be ranked there.

        What stands behind the item is compared with what the template writes there where the answer is given.
        """
        asked = self._render(turns, asks=True).rpartition(_USER.content.strip())[2]
        given = self._render([*turns, _ANSWER], asks=False).rpartition(_USER.content.strip())[2]
        before, answer, closing = given.rpartition(_ANSWER.content)
        if not answer:
            raise CellError(f"the model's chat template drops the assistant's turns; {_REMEDY}")
        lead = before[len(asked) :] if before.startswith(asked) else ""
        unlike = asked[alike(asked, before) :]
        for open_, close, ending in _THINKING:
            unlike = re.sub(rf"{re.escape(open_)}\s*{re.escape(close)}", "", unlike)
            if (asked + lead).count(open_) > (asked + lead).count(close):
                lead += ("" if (asked + lead).endswith("\n") else "\n") + ending
                unlike = unlike.replace(open_, "")
        reason = (
            f"the model's chat template opens an answer with {_quoted(unlike)}, behind which no choice can be ranked"
        )
        text = asked + lead
        return lead, text[len(text.rstrip(" \t")) :], closing, reason if unlike.strip() else ""

    def _render(self, turns: Sequence[Turn], *, asks: bool, thinks: bool = False) -> str:
        messages = [{"role": turn.role, "content": self._content(turn)} for turn in self._placed(turns)]
        options = {"enable_thinking": thinks, "thinking": thinks, **self._options}
        try:
            text = self._tokenizer.apply_chat_template(
                messages, chat_template=self.source, add_generation_prompt=asks, tokenize=False, **options
            )
        except Exception as error:  # a template is the checkpoint's own code and may raise anything
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise CellError(f"the model's chat template refuses the prompt: {reason}; {_REMEDY}") from None
        return str(text)

    def _placed(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """`turns`; where there is no place for a system turn, the first user turn begins with its content."""
        if self._system or not turns or turns[0].role != "system":
            return turns
        system, first, *others = turns
        return [Turn("user", f"{system.content}\n\n{first.content}"), *others]

    def _content(self, turn: Turn) -> object:
        return [{"type": "text", "text": turn.content}] if self._parts else turn.content


def alike(*rows: Sequence[object]) -> int:
    """How many elements sequences have in common from their beginning on."""
    shortest = min(map(len, rows))
    if all(row[:shortest] == rows[0][:shortest] for row in rows):
        return shortest
    return next(i for i, each in enumerate(zip(*rows, strict=False)) if len(set(each)) > 1)


def chat_template(model: ResolvedModel, tokenizer: Any) -> ChatTemplate | None:
    """The template that a model's prompts are rendered with; None where they are plain text.

    Raises:
        CellError: a template is asked for and there is none, or it does not carry a prompt.
    """
    has = bool(getattr(tokenizer, "chat_template", None))
    if model.chat_template == "on" and not has:
        raise CellError(f"model {model.name} has no chat template; set chat_template to auto or off")
    template = ChatTemplate(tokenizer, model.chat_template_kwargs) if has and model.chat_template != "off" else None
    if model.thinking_tokens and (template is None or template.thinking is None):
        raise CellError(f"model {model.name} has thinking_tokens, but no chat template in which thinking is written")
    return template


def identity(model: ResolvedModel) -> dict[str, Any]:
    """What of a model's chat template decides its answers; empty for one that reads plain text.

    A fixed conversation is part of it as the template renders it now, whatever it is rendered from.
    """
    prompted = model.kind in LANGUAGE_MODELS and not model.endpoint
    if not prompted or model.chat_template == "off" or not _has_template(model.folder):
        return {}
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
        template = chat_template(model, tokenizer)
    except Exception as error:  # of any kind for a damaged tokenizer; the cell will fail by it and say so
        return {"refused": str(error)}
    if template is None:
        return {}
    return {"version": VERSION, "rendered": sha256(template.trial)}


def _has_template(folder: Path) -> bool:
    named = any(folder.glob("chat_template*"))
    config = folder / "tokenizer_config.json"
    return named or (config.is_file() and '"chat_template"' in config.read_text(encoding="utf-8"))


_REMEDY = "set chat_template: off to give it plain text"


def _not_carried(turns: Sequence[Turn], text: str) -> str | None:
    """The first content of `turns` that is not in `text`, or stands before one that it follows; None where all is well.

    A system turn may stand anywhere: some templates write it into the last user turn. Outer white space may go.
    """
    at = 0
    for turn in turns:
        content = turn.content.strip()
        place = text.find(content, 0 if turn.role == "system" else at)
        if place < 0:
            return content
        at = place + len(content) if turn.role != "system" else at
    return None


def _quoted(text: str) -> str:
    shown = " ".join(text.split())
    return f'"{shown}"' if len(shown) <= 60 else f'"{shown[:57]}..."'


def _dated(source: str) -> str:
    """A template in which `strftime_now` writes `DATE`: a macro at its head hides transformers' own function."""
    if "strftime_now" not in source:
        return source
    codes = [(f"%{code}", DATE.strftime(f"%{code}")) for code in _DATE_CODES]
    codes += [(f"%-{code}", str(int(DATE.strftime(f"%{code}")))) for code in "dHIjmMSy"]
    replaced = "".join(f"|replace({code!r}, {text!r})" for code, text in codes)
    # The line break goes with the block before it; what follows stands at the beginning of a line, as it did.
    return f"{{% macro strftime_now(format) %}}{{{{ format{replaced} }}}}{{% endmacro %}}\n{source}"
