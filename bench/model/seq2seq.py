"""What is different about an encoder-decoder model: the prompt is one text, the answer another.

The encoder reads a prompt as its tokenizer writes it, special tokens included. The decoder starts from tokens that the
checkpoint names, and what it writes ends in the EOS token: that token is part of every answer, of a choice too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from bench.core.errors import CellError
from bench.core.prompt import Prompt
from bench.model.chat import ChatTemplate
from bench.model.tokenizer import Codec, Ids, Opening

UNLIMITED = 10**9  # tokens


class Seq2SeqCodec(Codec):
    """A tokenizer whose prompts go into an encoder, and whose answers come out of a decoder.

    `start` is what the decoder is given before an answer.

    Raises:
        CellError: nothing ends an answer.
    """

    def __init__(
        self, tokenizer: Any, chat: ChatTemplate | None, eos_ids: frozenset[int], start: Ids, answer_length: int
    ) -> None:
        super().__init__(tokenizer, chat, eos_ids)
        if not self.stops:
            raise CellError("neither the tokenizer nor the configuration names an EOS token to end an answer with")
        if self.end == self.blank_line:
            self.end = (min(self.stops),)
        self.start, self.answer_length = start, answer_length

    def encode(self, text: str) -> Ids:
        """Ids of a whole prompt, as the tokenizer writes it; of a conversation, with the template's special tokens."""
        return self.tokens(text) if self.chat else tuple(self.tokenizer(text)["input_ids"])

    def encode_behind(self, opening: Opening, text: str) -> Ids:
        """`encode(text)`: what the tokenizer adds at the end stands behind the whole."""
        return self.encode(text)

    def answer(self, text: str, ids: Ids, prompt: Prompt, answer: str, *, closed: bool = False) -> tuple[int, Ids]:
        """The whole prompt, and the decoder's text with its end, `closed` or not: (len(ids), ids of the answer)."""
        return len(ids), self.tokens(answer.strip()) + self.end


def decoder_start(folder: Path, config: Any, tokenizer: Any) -> Ids:
    """What the decoder is given before the first token of an answer.

    That is the start token, and behind it the one that generation is forced to begin with; where none is, what the
    tokenizer puts in front of a target.

    Raises:
        CellError: the checkpoint names no start token.
    """
    files = [name for name in ("generation_config.json", "config.json") if (folder / name).is_file()]
    # transformers leaves what old checkpoints say of generation in config.json out of the configuration that it loads
    sources = [*(GenerationConfig.from_pretrained(folder, config_file_name=name) for name in files), config]
    first, forced = (_first_set(sources, name) for name in ("decoder_start_token_id", "forced_bos_token_id"))
    if first is None:
        raise CellError("the configuration names no decoder_start_token_id")
    if forced is not None:
        return (first,) if forced == first else (first, forced)
    bare, target = (tokenizer(text_target="a", add_special_tokens=special)["input_ids"] for special in (False, True))
    begin: list[int] = next((target[:at] for at in range(len(target)) if target[at : at + len(bare)] == bare), [])
    return (first, *(begin[1:] if begin[:1] == [first] else begin))


def start_of(model: Any) -> Ids:
    """`decoder_start` of a loaded model."""
    return tuple(model.config.decoder_begins_with)


def is_seq2seq(model: Any) -> bool:
    """Whether a loaded model is an encoder-decoder model."""
    return bool(model.config.is_encoder_decoder)


def answer_length(config: Any) -> int:
    """The most tokens of an answer that the decoder has positions for, those it starts from included."""
    decoder = config.get_text_config(decoder=True)
    if hasattr(decoder, "relative_attention_num_buckets"):
        return UNLIMITED
    return int(getattr(decoder, "max_position_embeddings", None) or UNLIMITED)


def _first_set(sources: Sequence[Any], name: str) -> int | None:
    return next(
        (value for value in (getattr(source, name, None) for source in sources) if isinstance(value, int)), None
    )
