"""Skill `forms`: data to text, text to fields, and short texts changed by example."""

from __future__ import annotations

import random

from scripts.mini.corpus import forms_fields, forms_writing
from scripts.mini.corpus.document import Document
from scripts.mini.corpus.forms_mapping import mapping


def draw(rng: random.Random, held_out: bool = False) -> Document:
    """Records put into words (45%), fields read from messy texts (40%), or words changed as in examples (15%)."""
    roll = rng.random()
    if roll < 0.45:
        return forms_writing.writing(rng, held_out)
    return forms_fields.fields(rng, held_out) if roll < 0.85 else mapping(rng, held_out)


def probe_style(rng: random.Random, shots: int) -> tuple[Document, str]:
    """A record of a held-out type up to where its text comes, and the right text.

    `shots` demonstrations show the one way of writing, with an opening and a closing formula never trained on; with
    none, the right text can only be guessed.
    """
    return forms_writing.probe(rng, shots)


def probe_fields(rng: random.Random) -> tuple[Document, str]:
    """Two solved texts and one in a held-out layout, up to where its line of JSON comes; the right line."""
    return forms_fields.probe(rng)
