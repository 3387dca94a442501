"""adaptbench: should you fine-tune, or will a prompt or retrieval do? Measured, not guessed."""

__version__ = "0.1.0"
