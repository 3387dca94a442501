"""Answers of a loaded model: prompts, shared prefixes, ranked choices, generated text.

May import `core` and `model`.
"""
