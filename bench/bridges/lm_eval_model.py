"""Our engine as a model of lm-evaluation-harness: its tasks, prompts and metrics, our answers.

lm-eval writes the texts and cuts them into tokens as its own `hf` model does; log-likelihoods and greedy texts come
from `bench.engine`. So all that differs from lm-eval's own number is rounding.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
from lm_eval.tasks import TaskManager
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from bench.core.errors import CellError, UsageError, unknown
from bench.engine.prompts import Encoded
from bench.engine.transformers_backend import TransformersBackend
from bench.model.base import Base
from bench.model.budget import batch_tokens
from bench.model.chat import alike
from bench.model.devices import pick_device
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve

Ids = tuple[int, ...]
SEED = 1234  # of its few-shot examples, as `simple_evaluate` has it


class EngineModel(TemplateLM):  # type: ignore[misc]  # lm-eval ships no types
    """A causal model that answers lm-eval's requests through our engine."""

    def __init__(self, base: Base, backend: TransformersBackend, name: str) -> None:
        super().__init__()
        self.tokenizer, self.max_length = base.codec.tokenizer, base.context_length
        self._backend, self._name = backend, name

    @classmethod
    def load(cls, model: str, device: str = "auto") -> EngineModel:
        """A model by its folder, Hub id or built-in name, as a suite names it.

        Raises:
            UsageError: there is no such model, or it is not causal.
        """
        resolved = resolve(ModelSpec(path=model, chat_template="off"))
        if resolved.kind != "causal":
            raise UsageError(f"lm-eval's tasks need a causal model; {resolved.name} is of kind {resolved.kind}")
        base = load_base(resolved, pick_device(device))
        loaded = base.load(False)
        return cls(base, TransformersBackend.of(loaded, base.codec, batch_tokens(loaded)), resolved.name)

    @property
    def tokenizer_name(self) -> str:
        return self._name

    @property
    def eot_token_id(self) -> int:
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        begin = self.tokenizer.bos_token_id
        return self.eot_token_id if begin is None else int(begin)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        begun = string.startswith(self.tokenizer.decode(self.prefix_token_id))
        asked = False if add_special_tokens is None and begun else add_special_tokens
        return list(self.tokenizer.encode(string, **({} if asked is None else {"add_special_tokens": asked})))

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **kwargs: Any
    ) -> list[tuple[float, bool]]:
        """(log-likelihood in nats, whether greedy decoding writes it) of each continuation; contexts lose their start.

        Continuations of one context are read as a tree.
        """
        groups: dict[Ids, list[tuple[int, Ids]]] = defaultdict(list)
        for place, (_, context, continuation) in enumerate(requests):
            room = self.max_length + 1 - len(continuation)  # what is predicted last is not read
            if room < 1:
                raise CellError(f"a continuation of {len(continuation)} tokens is longer than the model's context")
            groups[tuple(context[-room:])].append((place, tuple(continuation)))
        prompts = _prompts(list(groups), [tuple(ids for _, ids in group) for group in groups.values()])
        scores = self._backend.score(prompts, lambda done: None)
        greedy = self._greedy(prompts)
        found: dict[int, tuple[float, bool]] = {}
        for group, own, writes in zip(groups.values(), scores, greedy, strict=True):
            found |= {place: (score, said) for (place, _), score, said in zip(group, own, writes, strict=True)}
        return [found[place] for place in range(len(requests))]

    def _greedy(self, prompts: Sequence[Encoded]) -> list[list[bool]]:
        """Whether each choice of each prompt is what the model writes. Most are told by their first token."""
        first = self._backend.outputs(prompts).argmax(-1).tolist()
        texts: dict[int, list[int]] = {}
        for place, (prompt, token) in enumerate(zip(prompts, first, strict=True)):
            longest = max((len(ids) for ids in prompt.choices if ids[0] == token), default=0)
            if longest > 1:
                [texts[place]] = self._backend.generate_ids([prompt], (), longest, lambda done: None)
            elif longest:
                texts[place] = [token]
        return [
            [tuple(texts.get(place, ())[: len(ids)]) == ids for ids in prompt.choices]
            for place, prompt in enumerate(prompts)
        ]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood in nats of whole texts, by windows of the model's context that do not overlap."""
        windows = [list(self._windows(request.args[0])) for request in requests]
        scores = iter(self._loglikelihood_tokens([(None, *pair) for own in windows for pair in own]))
        return [sum(next(scores)[0] for _ in own) for own in windows]

    def _windows(self, text: str) -> Iterator[tuple[list[int], list[int]]]:
        ids = self.tok_encode(text)
        for pair in get_rolling_token_windows(ids, self.prefix_token_id, self.max_length, context_len=1):
            yield make_disjoint_window(pair)

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """What the model writes, up to a stop string.

        Raises:
            UsageError: a task asks for sampling.
        """
        groups: dict[tuple[tuple[str, ...], int], list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            settings = normalize_gen_kwargs(request.args[1])
            if settings["do_sample"]:
                raise UsageError("an lm-eval task asks for sampling; adaptbench writes greedily")
            stop = handle_stop_sequences(list(settings["until"]), eos=self.tokenizer.decode(self.eot_token_id))
            groups[tuple(stop), settings["max_gen_toks"]].append(place)
        found: dict[int, str] = {}
        for (stop_strings, most), places in groups.items():
            room = self.max_length - most
            if room < 1:
                raise CellError(f"{most} new tokens leave no room in a context of {self.max_length}")
            contexts = [tuple(self.tok_encode(requests[place].args[0])[-room:]) for place in places]
            ids = self._backend.generate_ids(_prompts(contexts), stop_strings, most, lambda done: None)
            texts = (self.tokenizer.decode(own, skip_special_tokens=True) for own in ids)
            cut = (postprocess_generated_text(text, list(stop_strings), None) for text in texts)
            found |= dict(zip(places, cut, strict=True))
        return [found[place] for place in range(len(requests))]


def _prompts(contexts: Sequence[Ids], choices: Sequence[tuple[Ids, ...]] | None = None) -> list[Encoded]:
    """Prompts of whole contexts, with what all begin with as their prefix."""
    shared = min((len(ids) - 1 for ids in contexts), default=0)
    for ids in contexts:
        shared = min(shared, alike(contexts[0], ids))
    return [
        Encoded(str(place), ids[:shared], ids[shared:], choices[place] if choices else ())
        for place, ids in enumerate(contexts)
    ]


def evaluate(
    model: EngineModel,
    names: Sequence[str],
    include: Path | None = None,
    shots: int | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """What lm-eval's `simple_evaluate` gives for its tasks with our engine; `include`: a folder of its YAML files.

    Raises:
        UsageError: there is no such task, or its data cannot be had.
    """
    with quiet():
        tasks = manager(include)
        known = (*tasks.all_tasks, *tasks.all_groups, *tasks.all_tags)
        for name in names:
            if name not in known:
                raise UsageError(unknown("lm-eval task", name, known))
        try:
            found: dict[str, Any] = simple_evaluate(
                model, tasks=list(names), num_fewshot=shots, limit=limit, task_manager=tasks, bootstrap_iters=0
            )
        except (OSError, ValueError) as error:  # of a data set that is not there, or of a YAML file
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UsageError(f"lm-eval cannot ask {', '.join(names)}: {reason}") from None
    return found


def manager(include: Path | None) -> TaskManager:
    """lm-eval's tasks, or those of a folder.

    Raises:
        UsageError: there is no such folder.
    """
    if include is not None and not include.is_dir():
        raise UsageError(f'"{include}" is no folder of lm-eval tasks')
    return TaskManager() if include is None else TaskManager(include_path=str(include), include_defaults=False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without lm-eval's log, bars and warnings."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
