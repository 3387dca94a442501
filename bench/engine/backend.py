"""What answers prompts: the one seam between a model, of whatever kind, and all that asks it.

A back end gets prompts as they were written (`bench.engine.prompts.Encoded`) and reads of them what its kind of model
takes. Nothing outside it knows how it groups, batches or caches them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from bench.core.errors import NotApplicableError
from bench.engine.prompts import Encoded

if TYPE_CHECKING:
    from torch import Tensor

    from bench.engine.trial import Reading, Writing

Done = Callable[[int], None]  # told how many more prompts are answered


@dataclass(frozen=True, slots=True)
class Written:
    """A generated answer."""

    text: str  # up to the first stop string, without white space at its ends
    tokens: int  # generated, the EOS token and those of a stop string included
    stopped: bool = False  # by a stop string


class Backend(Protocol):
    """A model that answers prompts. An answer does not depend on the other prompts of a call, nor on their order."""

    @property
    def is_local(self) -> bool:
        """Whether it is a `LocalBackend`, with its weights in this process."""

    def score(self, prompts: Sequence[Encoded], done: Done) -> list[list[float]]:
        """Log-likelihood in nats of each choice of each prompt. No prompt is a failed one."""

    def generate(
        self, prompts: Sequence[Encoded], stop: Sequence[str], max_new_tokens: int, done: Done
    ) -> list[Written]:
        """What the model writes after each prompt, greedily. No prompt is a failed one."""

    def forget(self) -> None:
        """Drop what is kept of earlier prompts."""

    def one_at_a_time(self) -> Backend:
        """The same model, which answers prompts one by one and keeps nothing of those asked so far."""


class LocalBackend(Backend, Protocol):
    """A back end whose weights are in this process: they can be trained, compared and looked into."""

    @property
    def model(self) -> Any:
        """The `torch.nn.Module`."""

    @property
    def reading(self) -> Reading:
        """How prompts are read: what is worked out once for several of them."""

    @property
    def writing(self) -> Writing:
        """How texts are generated."""

    def next_token(self, prompt: Encoded) -> Tensor:
        """Natural logarithm of each token's probability after a prompt, [vocabulary], in fp32."""

    def outputs(self, prompts: Sequence[Encoded]) -> Tensor:
        """Logits at the end of each prompt, [prompts, vocabulary] in fp32; hidden states of a model without a head."""


def local(backend: Backend) -> LocalBackend:
    """`backend`, for what needs its weights.

    Raises:
        NotApplicableError: they are not in this process.
    """
    if not backend.is_local:
        raise NotApplicableError("this needs the weights of the model, which are not in this process")
    return cast(LocalBackend, backend)
