"""Models, templates and endpoints of strangers: no code of theirs runs, no pickle is opened, no key goes elsewhere."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.core.errors import CellError, EndpointError, UsageError
from bench.core.prompt import fill
from bench.model.checkpoint import read
from bench.model.foreign_code import refuse_code
from bench.model.resolve import ModelSpec, resolve
from bench.retrieval.embedders import find_embedder
from bench.retrieval.embedding_cache import _read
from bench.retrieval.reranker import find_reranker
from tests.served.scripted import Sent, said, serving
from tests.served.test_client import client_of, request


class Marks:
    """What makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.file,)


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """A model's folder of this test's own."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def change(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))


@pytest.mark.parametrize(
    "setting",
    [
        {"attn_implementation": "someone/attention"},
        {"attn_implementation": {"text_config": "someone/attention@main"}},
        {"text_config": {"experts_implementation": "someone/experts"}},
        {"_attn_implementation": "flash|someone/attention"},
    ],
)
def test_a_configuration_that_names_a_kernel_of_the_hub_is_refused(copy: Path, setting: dict[str, Any]) -> None:
    change(copy / "config.json", **setting)
    with pytest.raises(UsageError, match="names code that is not installed with adaptbench") as refusal:
        resolve(ModelSpec(path=str(copy)))
    assert "\n" not in str(refusal.value)
    change(copy / "config.json", attn_implementation="sdpa", _attn_implementation="eager", text_config={})
    refuse_code(copy)


def test_code_beside_a_model_does_not_run(copy: Path, tmp_path: Path) -> None:
    """Not of a configuration, a model or a tokenizer that says it is its own, nor of a type that nobody knows."""
    from bench.model.load import load_base

    mark = tmp_path / "ran"
    for name in ("configuration_evil", "modeling_evil", "tokenization_evil"):
        (copy / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: ...\n")
    code = {"AutoConfig": "configuration_evil.Evil", "AutoModelForCausalLM": "modeling_evil.Evil"}
    change(copy / "config.json", auto_map=code)
    change(copy / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_evil.Evil", None]})
    load_base(resolve(ModelSpec(path=str(copy))), _cpu()).load(False)
    change(copy / "config.json", model_type="evil")
    with pytest.raises(CellError, match="contains custom code"):
        load_base(resolve(ModelSpec(path=str(copy))), _cpu())
    assert not mark.exists()


def _cpu() -> Any:
    import torch

    return torch.device("cpu")


def test_a_sentence_encoder_s_modules_are_the_library_s_own(prompted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(prompted, tmp_path / "encoder"))
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "os.system"
    (folder / "modules.json").write_text(json.dumps(modules))
    for find in (find_embedder, find_reranker):
        with pytest.raises(UsageError, match=r'modules\.json" names code .* type is "os\.system"'):
            find(str(folder))


def test_an_adapter_names_no_module_to_import(tmp_path: Path) -> None:
    file = tmp_path / "adapter_config.json"
    file.write_text('{"megatron_core": "megatron.core", "megatron_config": null}')  # as PEFT writes each
    refuse_code(tmp_path)
    change(file, megatron_core="antigravity", megatron_config={})
    with pytest.raises(UsageError, match='megatron_core is "antigravity"'):
        refuse_code(tmp_path)


NAMES = ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt", "model.joblib", "model.pkl"]


@pytest.mark.parametrize("name", NAMES)
def test_pickles_are_not_opened(copy: Path, tmp_path: Path, name: str) -> None:
    mark = tmp_path / "unpickled"
    (copy / "model.safetensors").unlink()
    (copy / name).write_bytes(pickle.dumps(Marks(mark)))
    with pytest.raises(UsageError, match="safetensors"):
        read(copy)
    (copy / name).rename(copy / "model.safetensors")  # whatever it is called
    with pytest.raises(UsageError, match="is damaged or not whole"):
        read(copy)
    assert not mark.exists()


def test_kept_vectors_are_numbers(tmp_path: Path) -> None:
    """A file of the embedding cache that holds objects, under the name that its content asks for."""
    import hashlib

    mark = tmp_path / "unpickled"
    objects = np.array([Marks(mark)], dtype=object)
    np.savez(tmp_path / "made.npz", texts=objects, vectors=objects, share=objects, grown=objects)
    content = (tmp_path / "made.npz").read_bytes()
    (tmp_path / "made.npz").rename(tmp_path / f"{hashlib.sha256(content).hexdigest()}.npz")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        _read(tmp_path, {b"x"})
    assert not mark.exists()


ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__.__init__.__globals__ }}",
    "{% set x = cycler.__init__.__globals__.os.popen('id') %}",
    "{{ messages.append(1) }}",
)


@pytest.mark.parametrize("template", ESCAPES)
def test_a_chat_template_cannot_leave_its_sandbox(tmp_path: Path, template: str) -> None:
    from bench.model import tiny_random
    from bench.model.load import load_base

    folder = tiny_random.build(tmp_path / "chat", chat_template=True)
    jinja = next(iter(folder.glob("chat_template*")), folder / "chat_template.jinja")
    change(folder / "tokenizer_config.json", chat_template=template)
    jinja.write_text(template)
    with pytest.raises(CellError, match="chat template"):
        load_base(resolve(ModelSpec(path=str(folder), chat_template="on")), _cpu())


@pytest.mark.parametrize(
    "column", ["text.__class__", "text[0]", "text!r", "text:>9", "0", "", "text|upper", "self.__init__.__globals__"]
)
def test_our_own_templates_know_columns_alone(column: str) -> None:
    """A name in braces is looked up as it stands: no attribute, no index, no format of it."""
    if column:
        with pytest.raises(KeyError):
            fill(f"{{{column}}}", {"text": "a"})
        assert fill(f"{{{column}}}", {column: "{text} {{7*7}}"}) == "{text} {{7*7}}"  # nor is a value expanded
    else:
        assert fill("{}", {"text": "a"}) == "{}"


@pytest.mark.parametrize(
    "name",
    ["https://example.com/model", "//example.com/x", "owner/../../etc", "owner/..", "../owner", "owner/name?x=1",
     "owner/name#x", "owner\\name", "file:///etc", "owner/na\u202eme", "owner/name\n", "owner@evil.example/x"],
)  # fmt: skip
def test_a_hub_id_is_no_address_and_no_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is asked for: tests that try to reach another machine fail."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for find in (lambda: resolve(ModelSpec(path=name)), lambda: find_embedder(name)):
        with pytest.raises(UsageError) as refusal:
            find()
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret-of-16-signs")
    with serving(lambda *asked: Sent(said("yes"))) as other:
        moved = Sent({}, status, {"Location": f"{other.url}/chat/completions?key=sk-secret-of-16-signs"})
        with serving(lambda *asked: moved) as server:
            client = client_of(server.url, tmp_path, key_env="A_KEY")
            with pytest.raises(EndpointError, match=r"redirects to http.*key=\*\*\*, which is not followed"):
                client.ask([request()])
            assert client.look("/models") == {}
        assert len(server.asked) == 2
        assert other.asked == []


def test_an_answer_that_repeats_the_key_is_kept_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret-of-16-signs")
    with serving(lambda *asked: Sent(said("it is sk-secret-of-16-signs"))) as server:
        (reply,) = client_of(server.url, tmp_path, key_env="A_KEY").ask([request()])
    assert reply.content == said("it is ***")
    assert "sk-secret" not in (tmp_path / "kept.jsonl").read_text()
    monkeypatch.setenv("A_KEY", "EMPTY")  # what servers without keys are given: no secret, and a word
    with serving(lambda *asked: Sent(said("EMPTY"))) as server:
        (reply,) = client_of(server.url, tmp_path / "other", key_env="A_KEY").ask([request()])
    assert reply.content == said("EMPTY")
