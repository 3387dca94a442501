"""A tiny cross-encoder with random weights."""

from __future__ import annotations

from pathlib import Path

from tests.encoder import WORDS


def build(folder: Path, scores: int = 1, safe: bool = True) -> Path:
    """Write a BERT of one layer that gives a pair so many scores; `safe`: as safetensors."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.5,
    )
    config.num_labels = scores
    model = BertForSequenceClassification(config)
    model.save_pretrained(folder)
    if not safe:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    BertTokenizer(vocab={word: row for row, word in enumerate(vocabulary)}, model_max_length=32).save_pretrained(folder)
    return folder
