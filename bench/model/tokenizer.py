"""Text to token ids and back. Ids are those of a whole text: a prompt is written out first and then tokenised.

Prompts of a task begin alike, and tokenising a long beginning anew for every item would cost more than small models
take to answer. So the beginning is tokenised once (`Opening`), and an item with the last words of it: where these get
the same ids alone as in the whole text, so does what follows them. An answer is treated alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bench.core.prompt import Block, Prompt
from bench.model.chat import ChatTemplate, alike

Ids = tuple[int, ...]

_STUBS = (48, 192)  # characters that are tokenised again in front of what is new
_ALIKE = 8  # tokens at the end of a stub that have to be those of the whole text
_LONGEST_CUE = 64  # characters: the last word of a prompt, with the white space around it
# What usually follows a beginning. What joins with the end of it (a digit, in some vocabularies) shares a little less.
_FOLLOWING = ("Aa", "a", "(", '"', "字")


@dataclass(frozen=True, slots=True)
class Opening:
    """The text that prompts begin with and its ids; `stub` is the end of the text, or "" where there is none to use."""

    text: str
    ids: Ids
    stub: str = ""
    stub_ids: Ids = ()


class Codec:
    """A tokenizer as prompts need it.

    `end` closes an answer in training, `stops` are ids that end generation, `pad` fills up rows. `chat` is the chat
    template, None where prompts are plain text; `single_turn` writes few-shot examples into one user turn. `begin` are
    the ids in front of plain text.
    `answer_length`: the most tokens of an answer; None where it follows the prompt, in the prompt's context.
    """

    answer_length: int | None = None

    def __init__(
        self,
        tokenizer: Any,
        chat: ChatTemplate | None = None,
        eos_ids: frozenset[int] = frozenset(),
        *,
        single_turn: bool = False,
    ) -> None:
        self.tokenizer, self.chat, self.single_turn = tokenizer, chat, single_turn
        self.begin = () if chat else self._bos()
        eos = tokenizer.eos_token_id
        added = tokenizer.added_tokens_decoder.items()
        self.specials = frozenset(number for number, token in added if token.special)
        self._closing, closing_id = self._close()
        # A model without an EOS token learns to end its answers as few-shot examples end: with a blank line.
        self.blank_line = _common([self.tokens(f"a\n\n{following}") for following in _FOLLOWING])[
            len(self.tokens("a")) :
        ]
        last = closing_id if closing_id is not None else eos
        self.end: Ids = self.blank_line if last is None else (last,)
        ends = {eos, closing_id} - {None}
        self.stops = eos_ids | ends
        self.pad = next((i for i in (tokenizer.pad_token_id, eos) if i is not None), 0)
        self._after_cue = lru_cache(maxsize=65536)(self._after_cue)  # type: ignore[method-assign]

    def text(self, prompt: Prompt, blocks: Sequence[Block], question: str, *, thinks: bool = False) -> str:
        """A prompt as the model reads it, up to where it answers or, if it `thinks`, thinks; `question`: the item."""
        if self.chat is None:
            return prompt.text(blocks, question)
        turns = prompt.single_turn if self.single_turn else prompt.turns
        return self.chat.opening(turns(blocks, question), thinks=thinks)

    def encode(self, text: str) -> Ids:
        """Ids of a whole prompt, begin-of-text included; of plain text, as it stands in front of a word."""
        return self.begin + self._ahead(text)

    def tokens(self, text: str) -> Ids:
        """Ids of a text alone; special tokens that are written out in it count as such."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False)) if text else ()

    def opening(self, prompt: Prompt, blocks: Sequence[Block], *, thinks: bool = False) -> Opening:
        """What all prompts with `blocks` begin with, whatever the item."""
        texts = [self.text(prompt, blocks, following, thinks=thinks) for following in _FOLLOWING]
        text = texts[0][: alike(*texts)]
        ids = _common([self.encode(each) for each in texts])
        for length in _STUBS:
            stub = text[-length:]
            stub_ids = _common([self.tokens(stub + each[len(text) :]) for each in texts])
            if len(text) > length and len(stub_ids) >= _ALIKE and stub_ids[-_ALIKE:] == ids[-_ALIKE:]:
                return Opening(text, ids, stub, stub_ids)
        return Opening(text, ids)

    def encode_behind(self, opening: Opening, text: str) -> Ids:
        """`encode(text)`, of which `opening` is known."""
        if opening.stub and text.startswith(opening.text):
            ids = self._ahead(opening.stub + text[len(opening.text) :])
            if ids[: len(opening.stub_ids)] == opening.stub_ids:
                return opening.ids + ids[len(opening.stub_ids) :]
        return self.encode(text)

    def answer(self, text: str, ids: Ids, prompt: Prompt, answer: str, *, closed: bool = False) -> tuple[int, Ids]:
        """What `answer` adds to a prompt's `text` and `ids`, as (n, more): the whole has the ids `ids[:n] + more`.

        n is `len(ids)` unless the tokenizer joins the answer with the end of the prompt. `closed`: with what ends it.
        """
        follows = prompt.answer(answer) if self.chat is None else self.chat.gap + answer.strip()
        if closed:
            follows += self._closing
        at_end, more = self._joined(text, ids, follows)
        return len(ids) - at_end, more + (self.end if closed and not self._closing else ())

    def boundaries(self, text: str) -> list[int]:
        """Where the tokens of a text end, as places in it; every place, where the tokenizer does not say."""
        if not self.tokenizer.is_fast:
            return list(range(1, len(text) + 1))
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return [end for _, end in encoded["offset_mapping"]]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def decoder(self, answers: Iterable[str]) -> Callable[[Sequence[int]], str]:
        """`decode`, but special tokens that stand in `answers` are text like any other."""
        kept = self.specials_in(answers) - self.stops
        if not kept:
            return self.decode
        dropped = self.specials - kept

        def decode(ids: Sequence[int]) -> str:
            rest = [token for token in ids if token not in dropped]
            return str(self.tokenizer.decode(rest, skip_special_tokens=False, clean_up_tokenization_spaces=False))

        return decode

    def specials_in(self, texts: Iterable[str]) -> frozenset[int]:
        """The special tokens that the tokenizer reads in `texts`."""
        words = [self.tokenizer.convert_ids_to_tokens(token) for token in self.specials]
        likely = (text for text in texts if any(word in text for word in words))
        return frozenset(token for text in likely for token in self.tokens(text)) & self.specials

    def _joined(self, text: str, ids: Ids, follows: str) -> tuple[int, Ids]:
        """How many of the last of `ids` go where `follows` stands behind `text`, and what comes in their place."""
        tail = text[-_LONGEST_CUE:]
        words = tail.split()
        cue = tail[max(0, len(tail.rstrip()) - len(words[-1]) - 1) :] if words else tail
        alone, at_end, more = self._after_cue(cue, follows)
        kept = alone[-at_end - 2 :]
        if kept and ids[-len(kept) :] == kept:
            return at_end, more
        return self._following(text, ids[len(self.begin) :], follows)

    def _after_cue(self, cue: str, follows: str) -> tuple[Ids, int, Ids]:
        alone = self._ahead(cue)
        return (alone, *self._following(cue, alone, follows))

    def _following(self, text: str, alone: Ids, follows: str) -> tuple[int, Ids]:
        """`_joined`, from the ids of the whole."""
        before, after, whole = self._split(text, follows)
        if whole:
            return 0, after
        same = alike(alone, before + after)
        return len(alone) - same, (before + after)[same:]

    def _ahead(self, text: str) -> Ids:
        """Ids of a text; of plain text that ends in white space, as it stands in front of a word."""
        if self.chat is None and text[-1:].isspace():
            before, _, whole = self._split(text, "A")
            if whole:
                return before
        return self.tokens(text)

    def _split(self, text: str, follows: str) -> tuple[Ids, Ids, bool]:
        """Ids of `text + follows`: those of `text`, the others, and whether no token has a part in both."""
        if not self.tokenizer.is_fast:
            alone, ids = self.tokens(text), self.tokens(text + follows)
            count = alike(alone, ids)
            return ids[:count], ids[count:], count == len(alone)
        encoded = self.tokenizer(text + follows, add_special_tokens=False, return_offsets_mapping=True)
        ids, ends = tuple(encoded["input_ids"]), [end for _, end in encoded["offset_mapping"]]
        count = sum(end <= len(text) for end in ends)
        return ids[:count], ids[count:], ends[count - 1 : count] == [len(text)]

    def _bos(self) -> Ids:
        bare = self.tokens("a")
        full = tuple(self.tokenizer.encode("a"))
        at = next((i for i in range(len(full)) if full[i : i + len(bare)] == bare), 0)
        return full[:at]

    def _close(self) -> tuple[str, int | None]:
        """The text that closes an answer up to its first special token, and that token."""
        if self.chat is None:
            return "", None
        added = {str(token): number for number, token in self.tokenizer.added_tokens_decoder.items()}
        places = [(self.chat.closing.find(word), -len(word), word) for word in added if word in self.chat.closing]
        if not places:
            return "", None
        at, _, word = min(places)
        return self.chat.closing[: at + len(word)], added[word]


def _common(rows: Sequence[Ids]) -> Ids:
    return rows[0][: alike(*rows)]
