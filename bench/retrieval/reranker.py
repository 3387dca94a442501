"""Cross-encoders: a query and a passage read together, for a score of their own.

Weights are safetensors and remote code is off. A reranker is cheap to find (its weights are only hashed) and is loaded
at its first use.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import UsageError
from bench.core.json_text import parse
from bench.core.quoting import quoted
from bench.core.training import BatchWork
from bench.meters import flops
from bench.retrieval.embedders import find_folder, in_shapes, weights_digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REMEDY = "name the folder or the Hub id of a cross-encoder of one score, such as cross-encoder/ms-marco-MiniLM-L6-v2"
_SCORES = ("ForSequenceClassification", "ForCausalLM")  # endings of architectures that give a pair a score


def find_reranker(reference: str, device: str = "cpu") -> Reranker:
    """The cross-encoder that `reference` names: a local folder, or a Hub id ("owner/name[@revision]").

    Raises UsageError for a folder that holds no cross-encoder of safetensors, and a model that cannot be fetched.
    """
    folder = find_folder(reference, "rerank", REMEDY)
    _require_head(folder)
    return Reranker(folder, reference, weights_digest(folder, "rerank:", REMEDY), device)


def _require_head(folder: Path) -> None:
    """Refuse a model without a head for pairs: it would get one of random weights."""
    for name in ("config_sentence_transformers.json", "config.json"):
        try:
            said = parse((folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise UsageError(f"rerank: {folder / name} is damaged: {error}") from None
        if not isinstance(said, dict):
            raise UsageError(f"rerank: {folder / name} is damaged: it holds no JSON object")
        if said.get("model_type") == "CrossEncoder":
            return
        named = said.get("architectures")
        if isinstance(named, list) and named and str(named[0]).endswith(_SCORES):
            return
    raise UsageError(f"rerank: {quoted(str(folder))} is no cross-encoder: it has no head that scores pairs; {REMEDY}")


@dataclass(eq=False)
class Reranker:
    """A sentence-transformers `CrossEncoder` in fp32, whose scores depend on the pair alone.

    The shape of a batch follows from the length of its pairs (see `SentenceEncoder`).
    """

    folder: Path
    name: str
    digest: str
    device: str = "cpu"
    load_s: float = 0.0
    pairs: int = 0
    cut: int = 0  # of the pairs: that are as long as the model's input, and most likely longer
    flops: int | None = 0  # of all pairs so far; None: they cannot be worked out from the model's shape
    _loaded: Any = None

    def load(self) -> None:
        """Load the weights, unless that has been done; scoring does it too.

        Raises UsageError for a model that gives a pair several scores.
        """
        if self._loaded is not None:
            return
        import torch
        from sentence_transformers import CrossEncoder

        from bench.model.onednn_linear import use_onednn

        start = time.perf_counter()
        loaded = CrossEncoder(
            str(self.folder),
            device=self.device,
            local_files_only=True,
            trust_remote_code=False,
            activation_fn=torch.nn.Identity(),
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
        if loaded.num_labels != 1:
            raise UsageError(f"rerank: {self.name} gives a pair {loaded.num_labels} scores; {REMEDY}")
        self._loaded = use_onednn(loaded)
        self.load_s = time.perf_counter() - start

    @property
    def parameters(self) -> int:
        """Numbers that the loaded model holds."""
        return sum(p.numel() for p in self._loaded.parameters()) if self._loaded is not None else 0

    def scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """A logit for each pair of a query and a document, [n]; equal pairs tie exactly."""
        self.load()
        unique = {pair: row for row, pair in enumerate(dict.fromkeys(pairs))}
        asked = [list(pair) for pair in unique]
        lengths = self._lengths(asked)

        def compute(batch: list[Any], rows: int, exact: Mapping[str, Any]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = self._loaded.predict(
                batch, batch_size=rows, show_progress_bar=False, processing_kwargs={"text": exact}
            )
            return found

        found = in_shapes(asked, lengths, "pair", self.device, self._loaded.max_seq_length, compute)
        self._count(lengths)
        return found[[unique[pair] for pair in pairs]]

    def _lengths(self, pairs: list[list[str]], at_once: int = 512) -> list[int]:
        """Tokens of each pair as the model sees it, cut at its longest input."""
        lengths: list[int] = []
        for start in range(0, len(pairs), at_once):
            lengths += self._loaded.preprocess(pairs[start : start + at_once])["attention_mask"].sum(dim=1).tolist()
        return lengths

    def _count(self, lengths: Sequence[int]) -> None:
        longest = self._loaded.max_seq_length
        self.pairs += len(lengths)
        self.cut += sum(length >= longest for length in lengths) if longest else 0
        shape = flops.shape_of(self._loaded.model)
        if shape is None or self.flops is None:
            self.flops = None
            return
        work = BatchWork(sum(lengths), len(lengths), sum(length**2 for length in lengths))
        self.flops += flops.judging(shape, work)
