"""Readers of finished runs: comparison, retention, costs, decision, history.

May import `store`, `config`, `metrics`, `tasks`, `methods` and `core`. Never torch.
"""
