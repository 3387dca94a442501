"""A method applied to a base model: option search, training or fitting, a predictor.

May import `meters`, `training`, `engine`, `config`, `metrics`, `tasks`, `methods`, `model` and `core`.
"""
