"""Virtual tokens: the model reads everything behind them, by all of the engine's quick ways, as plain passes do."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, MistralConfig, MistralForCausalLM

import methods
from bench.adapt.learner import Observer
from bench.core.adapter_part import AdapterPart
from bench.core.errors import NotApplicableError, UsageError
from bench.core.method import TrainedPart
from bench.engine.backend import local
from bench.engine.prompts import TOO_LONG
from bench.engine.trial import Reading, Writing
from bench.training.batches import Arrangement, Pair, Pairs, collate
from bench.training.loss import arranged, summed_loss
from tests.toy import QUICK, adapted, blind, choice_task, session_of, text_task

PARTS = ("prompt-tuning", "prefix-tuning")
COUNT = 7
OPTIONS = {**QUICK, "virtual_tokens": COUNT, "learning_rate": 0.05}
every_part = pytest.mark.parametrize("name", PARTS)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def folder(request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with rotated positions, and one with a table of them, and the same tokenizer."""
    if request.param == "llama":
        return tiny_model
    found = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("soft") / "gpt2"))
    vocabulary = AutoModelForCausalLM.from_pretrained(tiny_model).config.vocab_size
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=512, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(found)
    return found


def loaded(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def part_of(name: str, **options: Any) -> TrainedPart:
    return cast(TrainedPart, methods.create(name, {"virtual_tokens": COUNT, **options}).weights)


def plain(model: Any, ids: Sequence[int]) -> Tensor:
    """Logits [tokens, vocabulary] of one text behind the virtual tokens of a trained model, by peft's own forward."""
    logits: Tensor = type(model).forward(model, input_ids=torch.tensor([list(ids)])).logits
    return logits[0, -len(ids) :]


def learnt(model: Any) -> Tensor:
    [parameter] = [p for p in model.parameters() if p.requires_grad]
    return cast(Tensor, parameter)


@every_part
def test_untrained_it_says_what_the_base_says_behind_the_text(name: str, folder: Path) -> None:
    text = list(b"Answer")  # a token is a byte
    model, base, ids = part_of(name, text="Answer").start(loaded(folder), 0).eval(), loaded(folder), [5, 60, 7, 80, 9]
    ahead = [*text, text[0]]  # repeated to seven tokens
    assert base.get_input_embeddings().weight.shape[0] > max(ahead)
    offset = _first_byte(folder)
    whole = torch.tensor([[token + offset for token in ahead] + ids])
    expected = base(whole).logits[0, COUNT:]
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=torch.tensor([ids])).logits[0], expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(base(torch.tensor([ids])).logits[0], expected, atol=1e-3)  # which is not the base


def _first_byte(folder: Path) -> int:
    from transformers import AutoTokenizer

    [token] = AutoTokenizer.from_pretrained(folder).encode("A", add_special_tokens=False)
    return int(token) - ord("A")


@every_part
def test_only_virtual_tokens_are_learnt(name: str, folder: Path) -> None:
    model = part_of(name).start(loaded(folder), 0)
    config = loaded(folder).config
    kept = 2 * config.num_hidden_layers * getattr(config, "num_key_value_heads", config.num_attention_heads)
    width = config.hidden_size if name == "prompt-tuning" else kept * config.hidden_size // config.num_attention_heads
    assert learnt(model).shape == (COUNT, width)


PAIRS: list[Pair] = [((5, 6, 7, 8, 9), (10, 11)), ((5, 6, 7), (12,)), ((5, 6, 7, 20), (21, 22, 23, 24))]


@every_part
@pytest.mark.parametrize("arrangement", [Arrangement.PACKED, Arrangement.LEFT, Arrangement.RIGHT])
def test_losses_and_gradients_are_those_of_each_row_alone(name: str, arrangement: Arrangement, folder: Path) -> None:
    model = part_of(name).start(loaded(folder), 0).eval()
    with torch.no_grad():
        learnt(model).add_(torch.linspace(-0.3, 0.3, learnt(model).numel()).view_as(learnt(model)))
    expected = torch.zeros(())
    for prompt, answer in PAIRS:
        logits = plain(model, [*prompt, *answer])[len(prompt) - 1 : -1]
        expected = expected + torch.nn.functional.cross_entropy(logits, torch.tensor(answer), reduction="sum")
    expected.backward()
    wanted, learnt(model).grad = learnt(model).grad, None
    with arranged(model) as quickest:
        assert quickest is Arrangement.PACKED
        if arrangement is Arrangement.PACKED:
            found = summed_loss(model, collate(Pairs(PAIRS).rows, 0, arrangement))
    if arrangement is not Arrangement.PACKED:
        found = summed_loss(model, collate(Pairs(PAIRS).rows, 0, arrangement))
    found.backward()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(learnt(model).grad, wanted, rtol=1e-3, atol=1e-5)


@every_part
def test_ranked_choices_are_those_of_plain_passes(name: str, folder: Path) -> None:
    task = choice_task()
    predictor = adapted(task, name, OPTIONS, folder).predictor
    backend = local(predictor.backend)
    assert backend.reading is Reading.TREE
    for prompt, prediction in zip(
        predictor.writer.write(blind(task.test)), predictor.predict(blind(task.test)), strict=True
    ):
        ids = [*prompt.prefix, *prompt.query]
        for choice, score in zip(prompt.choices, prediction.scores, strict=True):
            with torch.no_grad():
                steps = plain(backend.model, [*ids, *choice])[len(ids) - 1 : -1].log_softmax(-1)
            assert score == pytest.approx(float(steps.gather(1, torch.tensor(choice)[:, None]).sum()), abs=1e-4)


@every_part
def test_written_texts_are_those_of_plain_passes(name: str, folder: Path) -> None:
    task = text_task()
    predictor = adapted(task, name, OPTIONS, folder).predictor
    backend, codec = local(predictor.backend), predictor.writer.codec
    assert backend.writing is Writing.PICKED
    for prompt, prediction in zip(
        predictor.writer.write(blind(task.test)), predictor.predict(blind(task.test)), strict=True
    ):
        ids = [*prompt.prefix, *prompt.query]
        with torch.no_grad():
            for _ in range(task.max_new_tokens):
                ids.append(int(plain(backend.model, ids)[-1].argmax()))
                if ids[-1] in codec.stops:
                    break
        assert prediction.output == codec.decoder(())(ids[prompt.prompt_tokens :]).strip()


@every_part
def test_what_is_kept_answers_again_to_the_bit(name: str, folder: Path, tmp_path: Path) -> None:
    made = adapted(choice_task(), name, OPTIONS, folder, observer=Observer(weights=tmp_path))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert str(folder) not in (tmp_path / "adapter_config.json").read_text()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    again = part_of(name).restore(loaded(folder), tmp_path)
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, local(made.predictor.backend).model(input_ids=ids).logits)


@every_part
def test_a_share_of_the_way_starts_at_the_text(name: str, folder: Path) -> None:
    part = part_of(name)
    model = part.start(loaded(folder), 0)
    first = learnt(model).detach().clone()
    with torch.no_grad():
        learnt(model).add_(1.0)
    assert isinstance(part, AdapterPart)
    for factor in (0.0, 0.25):
        with part.scaled(model, factor):
            torch.testing.assert_close(learnt(model), first + factor)
    torch.testing.assert_close(learnt(model), first + 1.0)
    assert not part.merges


@every_part
def test_prompts_leave_room_for_virtual_tokens(name: str, tiny_model: Path) -> None:
    task = choice_task()
    (plain_session, zero_shot), (session, made) = (
        session_of(task, method, options, tiny_model) for method, options in (("zero-shot", {}), (name, OPTIONS))
    )
    assert session.base.context_length == plain_session.base.context_length - COUNT

    def failures(session: Any, method: Any, digits: int) -> list[str | None]:
        item = blind(task.test)[0]
        longer = type(item)(item.id, {**item.fields, "number": "9" * digits}, item.choices)
        return [prompt.failure for prompt in session.writer(method.context.build(session.material)).write([longer])]

    most = next(n for n in range(600, 0, -1) if failures(plain_session, zero_shot, n) == [None])
    assert failures(session, made, most - COUNT) == [None]
    assert failures(session, made, most - COUNT + 1) == [TOO_LONG]


@every_part
def test_activations_are_not_recomputed(name: str, tiny_model: Path) -> None:
    model = part_of(name).start(loaded(tiny_model), 0)
    model.gradient_checkpointing_enable()
    model.train()
    with pytest.raises(MemoryError, match="cannot be recomputed"):
        model(input_ids=torch.tensor([[5, 6]]))


@pytest.fixture
def windowed(tiny_model: Path, tmp_path: Path) -> Path:
    found = Path(shutil.copytree(tiny_model, tmp_path / "windowed"))
    config = MistralConfig(
        vocab_size=300, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=8,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(found)
    return found


@every_part
def test_what_cannot_be_is_one_line(name: str, windowed: Path) -> None:
    with pytest.raises(NotApplicableError, match="keeps keys and values of all tokens in every layer"):
        part_of(name).start(loaded(windowed), 0)
    with pytest.raises(UsageError, match="virtual_tokens is 0; it must be"):
        part_of(name, virtual_tokens=0)
