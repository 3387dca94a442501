"""From what a suite calls a model to loaded weights and a tokenizer on a device.

May import `core`.
"""
