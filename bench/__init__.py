"""adaptbench: should you fine-tune, or will a prompt or retrieval do? Measured, not guessed."""

from bench.core import own_packages

__version__ = "0.1.0"

own_packages.pin()
