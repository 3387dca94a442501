"""Served models: requests to an endpoint, answers that are kept before they are used, and how choices are read.

May import `engine`, `model` and `core`.
"""
