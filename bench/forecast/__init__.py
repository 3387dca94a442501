"""Forecasts: what cells that are not measured yet would score, cost and change of the choice.

May import `analysis`, `store`, `config`, `metrics`, `tasks`, `methods` and `core`. Never torch.
"""
