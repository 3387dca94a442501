"""What a phase took: seconds, memory, energy, FLOPs, latency. May import `training`, `engine`, `model` and `core`."""
