"""Encoder-decoder models: scores, texts and losses are those of a plain loop over one question and one choice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSeq2SeqLM,
    BartConfig,
    BartForConditionalGeneration,
    MT5Config,
    MT5ForConditionalGeneration,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from bench.adapt.learner import Observer
from bench.core.errors import CellError
from bench.core.method import Context
from bench.core.task import Task
from bench.engine.backend import local
from bench.engine.predictor import ModelPredictor
from bench.engine.prompts import TOO_LONG, Writer
from bench.engine.trial import Reading, Writing
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve
from bench.model.seq2seq import start_of
from bench.training.loss import mean_loss
from tests.small import measure, write_suite
from tests.toy import adapted, blind, choice_task, text_task

CPU = torch.device("cpu")
SPECIALS = ("<pad>", "</s>", "<s>")  # ids 0, 1, 2
SIZE = len(SPECIALS) + 256
T5: dict[str, Any] = {
      "vocab_size": SIZE, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_decoder_layers": 2,
      "num_heads": 4, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}  # fmt: skip
BART: dict[str, Any] = {
        "vocab_size": SIZE, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "init_std": 0.3,
        "max_position_embeddings": 512, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1}  # fmt: skip
SHORT = {"max_steps": 2, "batch_size": 4, "learning_rate": 1e-2}
# family -> (its model, whether texts are given <s> in front, what the decoder starts from)
FAMILIES: dict[str, tuple[Any, bool, tuple[int, ...]]] = {
    "t5": (lambda: T5ForConditionalGeneration(T5Config(**T5)), False, (0,)),  # tied, scaled
    "mt5": (
        lambda: MT5ForConditionalGeneration(MT5Config(**T5, tie_word_embeddings=False)),
        False,
        (0,),
    ),
    "bart": (lambda: BartForConditionalGeneration(BartConfig(**BART, decoder_start_token_id=1)), True, (1, 2)),
    "pegasus": (lambda: PegasusForConditionalGeneration(PegasusConfig(**BART, decoder_start_token_id=0)), False, (0,)),
}


def save(family: str, folder: Path) -> Path:
    """A tiny random model of a family, with a tokenizer of bytes."""
    make, begins, _ = FAMILIES[family]
    torch.manual_seed(0)
    model = make().eval()
    with torch.no_grad():  # a new model has no bias: one that is left out would not show
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.2)
        if not model.config.tie_word_embeddings:
            model.lm_head.weight *= 0.2  # log-likelihoods of hundreds of nats have fewer digits behind the point
    model.save_pretrained(folder)
    tokenizer(begins).save_pretrained(folder)
    return folder


def tokenizer(begins: bool, ends: bool = True) -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_ = Tokenizer(models.BPE({sign: n for n, sign in enumerate([*SPECIALS, *alphabet])}, []))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_.decoder = decoders.ByteLevel()
    bytes_.add_special_tokens(list(SPECIALS))
    written = " ".join([*(["<s>"] if begins else []), "$A", *(["</s>"] if ends else [])])
    bytes_.post_processor = processors.TemplateProcessing(written, special_tokens=[("<s>", 2), ("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_, pad_token="<pad>", eos_token="</s>", bos_token="<s>" if begins else None
    )


@pytest.fixture(
    scope="module", params=["t5", "bart", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mt5", "pegasus"))]
)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def saved(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(family, tmp_path_factory.mktemp(family))


def bytes_of(text: str) -> list[int]:
    """Ids of a text by the tokenizer's library alone."""
    return list(tokenizer(False, ends=False)(text)["input_ids"])


@torch.no_grad()
def plain_score(model: Any, start: tuple[int, ...], question: list[int], answer: list[int]) -> float:
    """Sum of log p(token | question, everything before it): the whole is read again for every token."""
    total = 0.0
    for at, token in enumerate(answer):
        given = torch.tensor([[*start, *answer[:at]]])
        logits = model(input_ids=torch.tensor([question]), decoder_input_ids=given).logits[0, -1]
        total += float(logits.double().log_softmax(-1)[token])
    return total


@torch.no_grad()
def plain_text(model: Any, start: tuple[int, ...], question: list[int], length: int) -> list[int]:
    ids = list(start)
    for _ in range(length):
        logits = model(input_ids=torch.tensor([question]), decoder_input_ids=torch.tensor([ids])).logits[0, -1]
        ids.append(int(logits.argmax()))
        if ids[-1] == 1:
            break
    return ids[len(start) :]


def require_plain_answers(predictor: ModelPredictor, task: Task, family: str) -> None:
    """The answers are those of the predictor's model by a plain loop, to 1e-4."""
    start = FAMILIES[family][2]
    model = local(predictor.backend).model
    prompts = predictor.writer.write(blind(task.test))
    answers = predictor.predict(blind(task.test))
    for example, prompt, answer in zip(task.test, prompts, answers, strict=True):
        question = [*prompt.prefix, *prompt.query]
        if task.kind == "choice":
            plain = [plain_score(model, start, question, [*bytes_of(choice), 1]) for choice in example.choices]
            assert answer.scores == pytest.approx(plain, abs=1e-4)
        else:
            written = plain_text(model, start, question, task.max_new_tokens)
            assert answer.output == predictor.writer.codec.decode(written).strip()
            assert answer.output_tokens == len(written)


TASKS = (choice_task(test=3), text_task(test=3))
PROMPTED: list[tuple[Task, str, dict[str, Any]]] = [
    (TASKS[0], "zero-shot", {}),
    (TASKS[0], "few-shot", {"k": 2}),
    (TASKS[1], "rag", {"top_k": 2, "retriever": "lexical"}),
]


@pytest.mark.parametrize(("task", "method", "options"), PROMPTED, ids=lambda value: getattr(value, "name", str(value)))
def test_answers_are_those_of_a_plain_loop(
    task: Task, method: str, options: dict[str, Any], family: str, saved: Path
) -> None:
    result = adapted(task, method, options, saved)
    backend = local(result.predictor.backend)
    assert (backend.reading, backend.writing) == (Reading.ENCODED, Writing.PICKED)
    require_plain_answers(result.predictor, task, family)


@pytest.mark.parametrize("method", ["full", "lora", "scratch", "last-layers"])
def test_what_training_makes_of_it_answers_as_a_plain_loop_does(method: str, family: str, saved: Path) -> None:
    task = TASKS[0]
    unmerged: list[tuple[float, ...]] = []
    options = {**SHORT, **({"layers": 1} if method == "last-layers" else {})}
    observer = Observer(lambda predictor, *_: unmerged.extend(p.scores for p in predictor.predict(blind(task.test))))
    result = adapted(task, method, options, saved, observer=observer)
    require_plain_answers(result.predictor, task, family)
    if method == "lora":
        merged = [p.scores for p in result.predictor.predict(blind(task.test))]
        assert [*map(list, merged)] == [pytest.approx(scores, abs=1e-3) for scores in unmerged]
    base = AutoModelForSeq2SeqLM.from_pretrained(saved, dtype=torch.float32).state_dict()
    trained = local(result.predictor.backend).model.state_dict()
    moved = {name for name, weight in base.items() if not torch.equal(weight, trained[name])}
    blocks = {name for name in moved if any(map(str.isdigit, name.split(".")))}
    if method == "last-layers":  # the decoder's second block, and none of the encoder's
        assert blocks
        assert all(name.startswith(("decoder.", "model.decoder.")) and ".1." in name for name in blocks)
    elif method == "lora":  # every linear layer of both sides, and no other weight
        linear = {n for n, m in local(result.predictor.backend).model.named_modules() if isinstance(m, torch.nn.Linear)}
        assert moved == {f"{name}.weight" for name in linear if name != "lm_head"}
        reached = result.parameters.adapted_weights
        assert reached
        assert reached == result.parameters.block_weights
    else:
        assert any("encoder." in name for name in blocks)
        assert any("decoder." in name for name in blocks)


@torch.no_grad()
def test_the_loss_is_that_of_a_plain_loop(family: str, saved: Path) -> None:
    """Mean over all answer tokens, the end included, of rows of unequal length."""
    base = load_base(resolve(ModelSpec(path=str(saved))), CPU)
    model, start = base.load(True), FAMILIES[family][2]
    assert start_of(model) == base.codec.start == start  # type: ignore[attr-defined]
    pairs = [([*bytes_of(f"Question {'long ' * n}:"), 1], [*bytes_of("x" * (1 + n)), 1]) for n in range(4)]
    plain = -sum(plain_score(model, start, *pair) for pair in pairs) / sum(len(answer) for _, answer in pairs)
    for rows in (1, 3):
        assert mean_loss(model, pairs, pad=0, rows=rows) == pytest.approx(plain, abs=1e-4)


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_an_old_checkpoint_forces_the_first_token_in_its_configuration(tmp_path: Path) -> None:
    """transformers 4 kept what generation is forced to begin with in config.json; 5 drops it from what it loads."""
    folder = save("pegasus", tmp_path)
    edit(folder / "config.json", forced_bos_token_id=7)
    (folder / "generation_config.json").unlink()
    base = load_base(resolve(ModelSpec(path=str(folder))), CPU)
    assert start_of(base.load(False)) == (0, 7)


def test_a_text_is_read_as_its_tokenizer_writes_it(tmp_path: Path) -> None:
    """Also where that puts no end behind it; an answer ends all the same."""
    folder = save("t5", tmp_path)
    tokenizer(begins=False, ends=False).save_pretrained(folder)
    codec = load_base(resolve(ModelSpec(path=str(folder))), CPU).codec
    assert list(codec.encode("Who?")) == bytes_of("Who?")
    assert codec.answer("Who?", codec.encode("Who?"), TASKS[0].prompt, " red") == (4, (*bytes_of("red"), 1))


def test_what_cannot_be_asked_is_said_in_a_line(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(CellError, match="is no encoder-decoder model"):
        load_base(resolve(ModelSpec(path=str(tiny_model), kind="seq2seq")), CPU)
    folder = save("pegasus", tmp_path)
    with pytest.raises(CellError, match="is an encoder-decoder model"):
        load_base(resolve(ModelSpec(path=str(folder), kind="causal")), CPU)
    edit(folder / "config.json", decoder_start_token_id=None)
    (folder / "generation_config.json").unlink()
    with pytest.raises(CellError, match="names no decoder_start_token_id"):
        load_base(resolve(ModelSpec(path=str(folder))), CPU)


def test_a_prompt_has_the_encoder_for_itself(tmp_path: Path) -> None:
    """Nothing of it is kept for the answer; an answer has the decoder's positions, less what it starts from."""
    base = load_base(resolve(ModelSpec(path=str(save("bart", tmp_path)))), CPU)
    assert (base.context_length, base.codec.answer_length) == (512, 510)
    task = text_task(test=1)
    fitting, too_long = (
        Writer(base.codec, task.prompt, Context(), length, reserve=500).write(blind(task.test))[0].failure
        for length in (len(base.codec.encode(task.prompt.text((), task.prompt.ask(blind(task.test)[0])))), 20)
    )
    assert (fitting, too_long) == (None, TOO_LONG)
    (prompt,) = Writer(base.codec, task.prompt, Context(), 512, reserve=511).write(blind(task.test))
    assert prompt.failure == TOO_LONG


@pytest.mark.slow
@pytest.mark.usefixtures("task_folder")
def test_its_cells_are_measured_like_any_others(tmp_path: Path) -> None:
    """Probes, divergence, and what differs: the EOS token of a choice, no shared beginning, no operations."""
    folder = save("t5", tmp_path / "t5")
    methods = [{"few-shot": {"k": 2, "select": "stratified"}}, {"lora": {"learning_rate": 1e-2, "max_steps": 2}}]
    file = write_suite(tmp_path, folder, methods=methods, probes=["paint"], tasks=["paint"])
    _, _, found = measure(file, tmp_path / "run")
    few_shot, lora = found.records
    assert {record.ranked_by for record in found.records} == {"none, with the EOS token"}
    assert (few_shot.weights_changed, few_shot.divergence) == (False, 0.0)
    assert lora.weights_changed
    assert lora.divergence
    assert lora.divergence > 0
    assert set(lora.probes) == {"paint"}
    assert set(few_shot.latency) == {"served"}  # nothing is kept that could be left uncached
    assert {phase.flops for record in found.records for phase in record.phases.values()} <= {None, 0}
