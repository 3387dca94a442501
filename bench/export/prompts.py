"""What export.json holds of a model that is given prompts: the prompt, examples, decoding and what is searched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.adapt.session import AdaptSession, answers_shown
from bench.core.errors import CellError, UsageError
from bench.core.hashing import sha256_of
from bench.core.method import Context, Pool
from bench.core.prompt import CHOICES, Prompt, placeholders
from bench.engine.prompts import Writer
from bench.engine.told_choices import STOP, answer_tokens
from bench.export.chosen import Chosen
from bench.model.seq2seq import Seq2SeqCodec
from bench.model.tokenizer import Codec
from bench.retrieval.index import DenseSearch, HybridSearch
from bench.retrieval.lexical import LexicalSearch
from bench.retrieval.second_stage import TwoStageSearch

DOCUMENTS = "documents.jsonl"


def of_language_model(chosen: Chosen, session: AdaptSession, folder: Path) -> dict[str, Any]:
    """Its part of export.json; the tokenizer and the index are written into `folder`.

    Raises:
        UsageError: the method finds its context in a way that no export knows.
    """
    codec = session.base.codec
    writer = writer_of(chosen, session)
    if codec.chat:
        codec.tokenizer.chat_template = codec.chat.source  # with the date that the method was measured with
    codec.tokenizer.save_pretrained(folder)
    return {
        "rule": (chosen.record.ranked_by or "none").partition(",")[0],
        "decoder": of_decoder(codec),
        "prompt": {**prompt_settings(writer), "retrieval": retrieval_settings(chosen, writer.context, folder)},
        "generation": _generation(session, chosen),
    }


def writer_of(chosen: Chosen, session: AdaptSession) -> Writer:
    """What writes the prompts; raises UsageError where the context cannot be built."""
    try:
        return session.writer(chosen.method.context.build(session.material))
    except CellError as error:
        raise UsageError(str(error)) from None


def of_decoder(codec: Codec) -> dict[str, Any] | None:
    """What an encoder-decoder model's answers begin and end with, and how long they can be; None for a decoder."""
    if not isinstance(codec, Seq2SeqCodec):
        return None
    return {"start": list(codec.start), "end": list(codec.end), "most": codec.answer_length}


def prompt_settings(writer: Writer) -> dict[str, Any]:
    """How prompts are written, as prompting.py reads it; what is searched for an item aside."""
    codec, prompt = writer.codec, writer.prompt
    chat = codec.chat.settings(thinks=writer.thinks) if codec.chat else None
    return {
        **question_settings(prompt),
        "before_answer": codec.chat.gap if codec.chat else prompt.answer(""),
        "examples": [asdict(block) for block in writer.context.shared],
        "chat": {**chat, "single_turn": codec.single_turn} if chat else None,
        "begin": list(codec.begin),
        "context_length": writer.context_length,
        "reserve": writer.reserve,
        "ranks": writer.ranks,
        "token_budget": writer.context.token_budget,
    }


def question_settings(prompt: Prompt) -> dict[str, Any]:
    """The texts of a task's prompt, and what is searched for, as templates."""
    names = [name for name in placeholders(prompt.template) if name != CHOICES]
    return {
        "instruction": prompt.instruction,
        "template": prompt.template,
        "cue": prompt.cue() if prompt.template else "",
        "query": prompt.query_template or " ".join(f"{{{name}}}" for name in names),
    }


def _generation(session: AdaptSession, chosen: Chosen) -> dict[str, Any]:
    codec, task = session.base.codec, chosen.task
    thinking = codec.chat.thinking if codec.chat and session.thinking_tokens else None
    shown = (*answers_shown(task, session.material), *(asdict(thinking).values() if thinking else ()))
    written = {"stop": list(task.stop) if task.kind == "text" else [], "max_new_tokens": task.max_new_tokens}
    if session.writes_choices:
        most = max(answer_tokens(example.choices) for example in task.test)
        written = {"stop": list(STOP), "max_new_tokens": most}
    return {
        **written,
        "eos_token_id": sorted(codec.stops) or None,
        "pad_token_id": codec.pad,
        "dropped_ids": sorted(codec.specials - (codec.specials_in(shown) - codec.stops)),
        "thinking": {**asdict(thinking), "tokens": session.thinking_tokens} if thinking else None,
    }


def retrieval_settings(chosen: Chosen, context: Context, folder: Path) -> Mapping[str, Any] | None:
    """Write what is searched; None where nothing is.

    Raises:
        UsageError: it is searched in a way that no export knows.
    """
    pool = context.pool()
    if pool is None:
        if type(context).find is not Context.find:
            name = chosen.method.context.name
            raise UsageError(f"{name} finds what it shows in a way of its own; it cannot be exported")
        return None
    if not isinstance(pool.index, DenseSearch | LexicalSearch | HybridSearch | TwoStageSearch):
        raise UsageError(f"{chosen.method.context.name} searches an index of its own; it cannot be exported")
    said = pool.index.write(folder)
    tuned = chosen.record.retriever
    measured = tuned.digest if tuned else chosen.record.identity.surroundings.embedder or ""
    encoder = said.get("embedder")
    if isinstance(encoder, dict) and measured and not measured.startswith(encoder["digest"]):
        raise UsageError(f"another sentence encoder than was measured with: its digest is {encoder['digest'][:12]}")
    digest = _documents(pool, folder / DOCUMENTS)
    return {**said, "shown": pool.shown, "documents": len(pool.blocks), "digest": digest}


def _documents(pool: Pool, file: Path) -> str:
    """Write what is searched, a document on a line; returns the sha256 of the file."""
    pairs = zip(pool.texts, pool.blocks, strict=True)
    lines = ({"indexed": text, "block": asdict(block)} for text, block in pairs)
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return sha256_of(file)
