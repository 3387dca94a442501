"""The base model `mini` that comes with adaptbench: its corpus, its recipe and its weights."""
