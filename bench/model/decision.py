"""Decision models into memory, through transformers' pipeline of that name.

Such a model answers a question with options by a probability of each, read in one pass: by a head of its own
(`XxxForDecision`), or as any chat model by the logits of the options' letters. Its `decision.json` holds the letters
and the temperatures that calibrate it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, pipeline
from transformers.decision import DecisionConfig

from bench.core.errors import CellError
from bench.model.base import Base
from bench.model.resolve import ResolvedModel
from bench.model.soundness import require_finite
from bench.model.tokenizer import Codec, Ids

_QUESTION = "answer"
_UNSET_LENGTH = 10**9  # tokenizers without a limit say a number far above this


@dataclass(frozen=True, kw_only=True)
class DecisionBase(Base):
    """A decision model: `load` gives a `Decider`.

    `written(state, instructions, options)` are the ids that it reads.

    Raises:
        CellError: it takes no such question: most often more options than it has letters for.
    """

    written: Callable[[str, str, Sequence[str]], Ids]


class Decider(torch.nn.Module):
    """A decision model with what writes its requests and reads its answers."""

    def __init__(self, made: Any) -> None:
        super().__init__()
        self.model: Any = made.model
        self._pipeline = made

    @torch.inference_mode()
    def likelihoods(self, state: str, instructions: str, options: Sequence[str]) -> Tensor:
        """Logarithm of the probability of each option, [options], in fp32."""
        answer = self._pipeline(_request(state, instructions, options))[_QUESTION]
        return torch.tensor([answer["probabilities"][option] for option in options]).log()


def decision_base(model: ResolvedModel, device: torch.device, dtype: torch.dtype) -> DecisionBase:
    """Tokenizer now, weights on demand."""
    config = AutoConfig.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
    tokenizer = AutoTokenizer.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
    text = config.get_text_config()
    settings = DecisionConfig.from_pretrained(model.folder)
    lengths = [getattr(text, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None)]

    def load(full_precision: bool) -> Decider:
        made = pipeline(
            "decision",
            model=str(model.folder),
            dtype=torch.float32 if full_precision else dtype,
            device=device,
            trust_remote_code=model.trust_remote_code,
        )
        require_finite(made.model, model.name)
        return Decider(made).eval()

    def written(state: str, instructions: str, options: Sequence[str]) -> Ids:
        try:
            [(inputs, _)] = settings.prepare_inputs(_request(state, instructions, options), tokenizer)
        except ValueError as error:
            raise CellError(f"the decision model refuses the question: {str(error).splitlines()[0]}") from error
        return tuple(inputs["input_ids"][0].tolist())

    return DecisionBase(
        load=load,
        codec=Codec(tokenizer),
        context_length=min((int(n) for n in lengths if n and n < _UNSET_LENGTH), default=2048),
        dtype=dtype,
        numbers=int(text.num_hidden_layers * text.hidden_size),
        parameters=model.parameters,
        digest=model.digest,
        written=written,
    )


def _request(state: str, instructions: str, options: Sequence[str]) -> dict[str, Any]:
    question = {"type": "choice", "instructions": instructions or None, "criteria": dict.fromkeys(options)}
    return {"state": state, "questions": {_QUESTION: question}}
