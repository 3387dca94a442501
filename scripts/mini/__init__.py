"""The recipe of the base model `mini`: its corpus and its training.

Frozen: users need its weights (`bench/model/mini`) alone.
"""
