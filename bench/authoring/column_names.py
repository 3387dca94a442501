"""Names that columns of tables usually have, lower-cased, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

QUESTIONS = ("question", "text", "input", "prompt", "message", "query", "utterance", "sentence", "mr", "source")
LABELS = ("label", "category", "intent", "class", "sentiment", "topic", "y")  # of a closed set, as a rule
REFERENCES = (
    *("answer", "answers", "answers.text", "answerkey", "target", "output", "response", "reply"),
    *("ref", "reference", "references", "completion", "summary"),
)
ANSWERS = ("label", *REFERENCES[:4], *LABELS[1:4], *REFERENCES[4:], *LABELS[4:])
PASSAGES = ("context", "passage", "paragraph", "article", "document")
CHOICE_LISTS = ("choices", "options", "endings", "choices.text")
DOCUMENT_TEXTS = ("text", *PASSAGES, "content", "contents", "body")
DOCUMENT_IDS = ("id", "doc_id", "document_id", "passage_id", "docid", "pid", "key", "name")
TITLES = ("title", "heading", "headline", "name", "subject")
GOLD_IDS = ("gold", "gold_ids", *DOCUMENT_IDS[1:6], "documents", "passages", *PASSAGES, "source", "evidence")
USUAL_NAMES = frozenset((*QUESTIONS, *ANSWERS, *PASSAGES, *CHOICE_LISTS, *DOCUMENT_TEXTS, *DOCUMENT_IDS, *TITLES))


def first_named(columns: Iterable[str], known: Sequence[str]) -> str:
    """The column with the first of the `known` names, in any case; or ''."""
    lowered = {name.strip().lower(): name for name in reversed(list(columns))}
    return next((lowered[name] for name in known if name in lowered), "")
