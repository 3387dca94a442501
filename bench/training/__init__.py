"""Training of a loaded model: batches, loss, checkpoints. May import `engine`, `model`, `methods` and `core`."""
