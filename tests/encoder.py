"""A tiny sentence encoder, and the words that it knows."""

from __future__ import annotations

from pathlib import Path

WORDS = ["red", "green", "blue", "fish", "tea", "cup", "who", "wrote", "it"]


def build(folder: Path) -> Path:
    """Write an encoder with random weights whose queries and documents have prompts of their own."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", "query", "passage", *WORDS]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    bert = folder / "bert"
    BertModel(config).save_pretrained(bert)
    BertTokenizer(vocab={word: row for row, word in enumerate(vocabulary)}).save_pretrained(bert)
    body = Transformer(str(bert))
    model = SentenceTransformer(
        modules=[body, Pooling(32)], prompts={"query": "query: ", "document": "passage: "}, device="cpu"
    )
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"
