"""Documents for retrieval: those of a file, or the passages that stand beside questions in a table.

A document without an id of its own is called by a hash of its text, so that the order of rows changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.authoring.column_guess import Guess, Row
from bench.authoring.column_names import DOCUMENT_IDS, DOCUMENT_TEXTS, GOLD_IDS, PASSAGES, TITLES, first_named
from bench.authoring.source_tables import refuse_headerless
from bench.core.errors import UsageError
from bench.core.hashing import sha256
from bench.core.quoting import quoted, shown
from tasks.loader.documents import read_folder
from tasks.loader.paths import roots
from tasks.loader.problems import Problems
from tasks.loader.rows import Table, list_of, read_table, text_or_none
from tasks.loader.spec import Corpus

_ID_DIGITS = 12
_LONG = 4000  # characters of a document that is better cut into passages
_SOME = 0.5  # share of a column's values that must be ids of documents before it counts as gold


def from_column(splits: dict[str, list[Row]], guessed: Guess) -> list[Row]:
    """Each distinct passage as a document; rows lose the passage and get its id in a new column.

    Raises UsageError where no column holds passages.
    """
    rows = [row for found in splits.values() for row in found]
    column = guessed.passage
    if not column:
        raise UsageError(
            f"--retrieve needs a column of passages, such as {', '.join(PASSAGES)}; name it with --passage"
        )
    asked = {guessed.question, guessed.answer, *guessed.more_answers}
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in asked]
    gold, title = _new_column(rows, "gold"), first_named(names, TITLES)
    documents: dict[str, Row] = {}
    for row in rows:
        text = (text_or_none(row.pop(column, None)) or "").strip()
        heading = text_or_none(row.pop(title, None)) if title else None
        row[gold] = [_hashed(text)] if text else []
        if text:
            documents.setdefault(_hashed(text), {"id": _hashed(text), "title": heading or "", "text": text})
    guessed.passage, guessed.gold, guessed.group = "", gold, gold
    guessed.notes.append(
        f"retrieval: {len(documents)} distinct texts of column {shown(column)} are the documents to search, and column "
        f"{shown(gold)} names each question's; without --retrieve they stand in the prompt"
    )
    pairs = {(text_or_none(row.get(guessed.question)), *row[gold]) for row in rows}
    several = sum(count > 1 for count in Counter(question for question, *_ in pairs).values())
    if several:
        guessed.notes.append(f"questions about several documents, which may be unclear without theirs: {several}")
    return _sorted(documents.values())


def mark_shared_passages(rows: Sequence[Row], guessed: Guess) -> None:
    """Where several questions are about one passage, name it in a new column: their errors hang together."""
    texts = [text_or_none(row.get(guessed.passage)) or "" for row in rows]
    if guessed.passage and len(set(texts)) < len(texts):
        guessed.group = _new_column(rows, "passage_id")
        for row, text in zip(rows, texts, strict=True):
            row[guessed.group] = _hashed(text.strip())
    if guessed.passage:
        guessed.notes.append(
            f"passage: column {shown(guessed.passage)} stands in the prompt, as a reading task (guessed; --retrieve "
            "makes it documents to search)"
        )


def from_file(path: Path, splits: dict[str, list[Row]], guessed: Guess) -> list[Row]:
    """The documents in a file or folder; rows get lists of ids in the column that names theirs, where there is one.

    Raises UsageError where the file has no header or no text, TaskError where it cannot be read.
    """
    table = _folder_table(path.expanduser(), guessed) if path.expanduser().is_dir() else _file_table(path)
    text = first_named(table.columns, DOCUMENT_TEXTS) or _longest(table.columns, table.rows)
    found = [row for row in table.rows if text_or_none(row.get(text)) is not None]
    if not found:
        raise UsageError(f"{quoted(str(path))} holds no documents: no row has text")
    rows = [row for some in splits.values() for row in some]
    key, gold = _keys(found, [name for name in table.columns if name != text], rows, guessed)
    title = first_named([name for name in table.columns if name not in (key, text)], TITLES)
    documents = [_document(row, key, text, title) for row in found]
    ids = f"ids from column {shown(key)}" if key else "ids made from the texts"
    guessed.notes.append(f"documents: {len(documents)} rows of {path.name}, text from column {shown(text)}, {ids}")
    if len(table.rows) > len(found):
        guessed.notes.append(f"documents left out for want of text: {len(table.rows) - len(found)}")
    _set_gold(rows, gold, documents, guessed)
    return _sorted({document["id"]: document for document in documents}.values())


def _file_table(path: Path) -> Table:
    problems = Problems()
    table = read_table(path.expanduser(), str(path), problems)
    problems.check()
    assert table is not None  # else there is a problem
    refuse_headerless(table)
    return table


def _folder_table(folder: Path, guessed: Guess) -> Table:
    problems = Problems()
    documents, notes = read_folder(folder, folder.name, problems, Corpus(path=str(folder)).most_mb, roots(folder))
    problems.check()
    guessed.notes += notes
    columns = ("id", "text", "title") if any(document.title for document in documents) else ("id", "text")
    return Table(folder.name, columns, [{name: getattr(one, name) for name in columns} for one in documents])


def long_documents_note(documents: Sequence[Row]) -> list[str]:
    """A line where documents are too long to stand in a prompt whole; none elsewhere."""
    longest = max(len(document["text"]) for document in documents)
    if longest <= _LONG:
        return []
    remedy = "set chunk of rag in the suite, such as {by: sentences, size: 200}, or context_tokens"
    return [f"documents: the longest has {longest:,} characters and goes into the prompt whole; {remedy}"]


def _document(row: Row, key: str, text: str, title: str) -> Row:
    body = (text_or_none(row.get(text)) or "").strip()
    name = (text_or_none(row.get(key)) or "").strip() if key else _hashed(body)
    return {"id": name, "title": (text_or_none(row.get(title)) or "").strip() if title else "", "text": body}


def _keys(documents: Sequence[Row], columns: Sequence[str], rows: Sequence[Row], guessed: Guess) -> tuple[str, str]:
    """(the documents' column of ids, the questions' column that holds them); '' for what there is not."""
    unique = [name for name in columns if _is_unique(name, documents)]
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name.strip()]
    names = [name for name in names if name not in (guessed.question, guessed.answer, *guessed.more_answers)]
    for column in _usual_first(unique, DOCUMENT_IDS):
        ids = {(text_or_none(document.get(column)) or "").strip() for document in documents}
        for name in _usual_first(names, GOLD_IDS):
            given = [key for row in rows for key in _ids(row.get(name), ids)]
            if name != "id" and given and sum(key in ids for key in given) >= _SOME * len(given):
                return column, name
    return first_named(unique, DOCUMENT_IDS), ""


def _set_gold(rows: Sequence[Row], gold: str, documents: Sequence[Row], guessed: Guess) -> None:
    ids = {document["id"] for document in documents}
    if gold:
        given = [(row, _ids(row.get(gold), ids)) for row in rows]
        guessed.gold = guessed.group = gold
        unknown = sum(key not in ids for _, keys in given for key in keys)
        for row, keys in given:
            row[gold] = [key for key in keys if key in ids]
        guessed.notes.append(f"gold: column {shown(gold)} names the documents of a question (guessed)")
        if unknown:
            guessed.notes.append(f"gold: ids left out because no document has them: {unknown}")
    elif not _gold_by_text(rows, documents, guessed):
        guessed.notes.append(
            "gold: no column names the documents of a question, so what is found cannot be checked; add one with ids"
        )
    guessed.passage = ""
    guessed.notes.append("retrieval: questions are answered from documents that are searched (--corpus)")


def _gold_by_text(rows: Sequence[Row], documents: Sequence[Row], guessed: Guess) -> bool:
    """Whether the passages beside the questions are documents, which are then named in a new column."""
    by_text = {document["text"]: document["id"] for document in documents}
    texts = [(text_or_none(row.get(guessed.passage)) or "").strip() for row in rows] if guessed.passage else []
    if not any(text in by_text for text in texts):
        return False
    gold = _new_column(rows, "gold")
    for row, text in zip(rows, texts, strict=True):
        row[gold] = [by_text[text]] if text in by_text else []
    guessed.notes.append(f"gold: the document that column {shown(guessed.passage)} repeats (guessed)")
    guessed.gold = guessed.group = gold
    return True


def _ids(cell: object, known: set[str]) -> list[str]:
    """The ids in a cell: a list, a JSON list, one id, or several between commas, semicolons or bars."""
    if isinstance(cell, (list, tuple)) or (isinstance(cell, str) and cell.lstrip().startswith("[")):
        try:
            return list(dict.fromkeys(list_of(cell)))
        except TypeError:
            return []
    text = (text_or_none(cell) or "").strip()
    if not text or text in known:
        return [text] if text else []
    return list(dict.fromkeys(part.strip() for part in re.split(r"[,;|]", text) if part.strip()))


def _is_unique(column: str, documents: Sequence[Row]) -> bool:
    values = {(text_or_none(document.get(column)) or "").strip() for document in documents}
    return len(values) == len(documents) and "" not in values


def _usual_first(columns: Sequence[str], usual: Sequence[str]) -> list[str]:
    rank = {name: place for place, name in enumerate(usual)}
    return sorted(columns, key=lambda name: rank.get(name.lower(), len(rank)))


def _longest(columns: Sequence[str], rows: Sequence[Row]) -> str:
    return max(columns, key=lambda name: sum(len(text_or_none(row.get(name)) or "") for row in rows))


def _new_column(rows: Sequence[Row], name: str) -> str:
    taken = {column for row in rows for column in row}
    return next(new for new in (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3))) if new not in taken)


def _hashed(text: str) -> str:
    return sha256(text)[:_ID_DIGITS]


def _sorted(documents: Iterable[Row]) -> list[Row]:
    """Documents in order of their ids, without titles where there is none."""
    found = sorted(documents, key=lambda document: str(document["id"]))
    titled = any(document["title"] for document in found)
    return [document if titled else {"id": document["id"], "text": document["text"]} for document in found]
