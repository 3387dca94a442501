"""`adaptbench init`: from a table to a task folder and a starter suite, saying what was guessed.

The task that comes out passes `adaptbench check`: rows without question or answer are left out, the same question
never stands in two splits, and the choices are listed. Labels that look alike are left for its author to merge.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import tasks
from bench.authoring import documents as retrieval
from bench.authoring.column_guess import Guess, Row, guess, is_usable, left_out
from bench.authoring.example_table import NAME, example_csv
from bench.authoring.picture_folders import holds_pictures, picture_task
from bench.authoring.source_tables import read_splits, source_files
from bench.authoring.split_rows import divided
from bench.authoring.suite_file import suite_text
from bench.authoring.task_file import task_files
from bench.core.atomic import naming
from bench.core.errors import UsageError, unknown
from bench.core.quoting import listed, quoted, shown
from tasks.loader.manifest import FILE


def init(
    data: Path | None,
    out: Path | None = None,
    test: Path | None = None,
    *,
    corpus: Path | None = None,
    retrieve: bool = False,
    header: Sequence[str] = (),
    question: str | None = None,
    answer: str | None = None,
    passage: str | None = None,
    kind: str | None = None,
    model: str = "mini",
) -> list[str]:
    """Make the task folder `out` and, beside it, `<out>.suite.yaml`; returns what was guessed, one line each.

    `data` is a file, or a folder with train, validation and test files and perhaps a corpus, or with a folder of
    pictures for each class; None begins from a table of examples, which is written too. `test` is a file of test rows,
    `corpus` one of documents; `retrieve` makes the passages beside the questions documents. `header` names the columns
    of files without a header line. `out` is by default named after the data, in the current folder; `model` is what the
    suite begins with. The last lines say what was written, and the next command.

    Raises UsageError where a file is in the way, a column does not exist or the rows are too few, and
    TaskError where a file cannot be read.
    """
    if kind not in (None, "choice", "text"):
        raise UsageError(unknown("kind", str(kind), ("choice", "text")))
    if corpus and retrieve:
        raise UsageError("--corpus gives the documents, so --retrieve has nothing to add; leave one of them out")
    if data is None:
        return _from_example(out, test or corpus, kind, model)
    data = data.expanduser()
    out = (out or _default_out(data)).expanduser().resolve()
    suite = out.parent / f"{out.name}.suite.yaml"
    _refuse_existing([out / FILE, suite])  # before the work of reading
    if data.is_dir() and holds_pictures(data):
        if test or corpus or retrieve or header or question or answer or passage or kind == "text":
            what = f"{quoted(str(data))} holds pictures, whose folders are their classes"
            raise UsageError(f"{what}; of the options only --out is for it")
        return _written(*picture_task(data, out, suite), suite)
    files = source_files(data, test)
    corpus = corpus or files.get("corpus")
    files.pop("corpus", None)
    splits = read_splits(files, header, [name for name in (question, answer, passage) if name])
    guessed = guess([row for found in splits.values() for row in found], question, answer, kind, passage)
    documents = _documents(corpus, retrieve, splits, guessed)
    _say_left_out(splits, guessed)
    splits = divided(_usable(splits, guessed), guessed)
    written = task_files(out, splits, documents, guessed)
    counts = {split: len(rows) for split, rows in splits.items()}
    written[suite] = suite_text(
        out,
        model,
        train=counts["train"],
        test=counts["test"],
        documents=bool(documents),
        gold=bool(guessed.gold),
    )
    return _written(written, guessed.notes, suite)


def _written(files: Mapping[Path, str | Path], notes: Sequence[str], suite: Path) -> list[str]:
    _refuse_existing(files)
    _write(files)
    out = suite.with_name(suite.name.removesuffix(".suite.yaml"))
    names = listed(dict.fromkeys(path.relative_to(out).parts[0] for path in files if path != suite))
    return [*notes, f"wrote {out}: {names}", f"wrote {suite}", f"next: adaptbench run {_near(suite)}"]


def _default_out(data: Path) -> Path:
    """A folder of the current one, named after the data; no file is in its way, and no bundled task has its name."""
    taken = data.is_dir() or data.stem in tasks.available()
    return Path(f"{data.resolve().name if data.is_dir() else data.stem}-task" if taken else data.stem)


def _from_example(out: Path | None, given: Path | None, kind: str | None, model: str) -> list[str]:
    if given is not None:
        raise UsageError("--test and --corpus belong to a table; name it as DATA")
    table = (out or Path(NAME)).expanduser()
    table = table.with_name(f"{table.name}.csv")
    _refuse_existing([table])
    text = example_csv()
    _write({table: text})
    said = f"no data given: wrote {table.resolve()}, {len(text.splitlines()) - 1} messages to a shop as an example"
    return [said, *init(table, out, kind=kind, model=model)]


def _documents(corpus: Path | None, retrieve: bool, splits: dict[str, list[Row]], guessed: Guess) -> list[Row]:
    """The documents to search, none of a task without; rows are given the ids of theirs."""
    if corpus is None and not retrieve:
        retrieval.mark_shared_passages([row for found in splits.values() for row in found], guessed)
        return []
    made = retrieval.from_file(corpus, splits, guessed) if corpus else retrieval.from_column(splits, guessed)
    guessed.notes += retrieval.long_documents_note(made)
    return made


def _say_left_out(splits: Mapping[str, list[Row]], guessed: Guess) -> None:
    columns = list(dict.fromkeys(name for rows in splits.values() for row in rows for name in row))
    others = left_out(guessed, columns)
    if others:
        guessed.notes.append(f"not in the prompt: {listed(map(shown, others))}; add to the template what answers need")


def _usable(splits: Mapping[str, list[Row]], guessed: Guess) -> dict[str, list[Row]]:
    kept = {split: [row for row in rows if is_usable(row, guessed)] for split, rows in splits.items()}
    lost = sum(map(len, splits.values())) - sum(map(len, kept.values()))
    if lost:
        guessed.notes.append(f"rows left out for want of a usable question or answer: {lost}")
    if not any(kept.values()):
        columns = f"columns {shown(guessed.question)} and {shown(guessed.answer)}"
        raise UsageError(f"no row has a usable question and answer ({columns}, kind {guessed.kind})")
    return kept


def _write(files: Mapping[Path, str | Path]) -> None:
    """Write each file: a text, or the bytes of another file, shared with it on disk where the file system can."""
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with naming(path):
                if isinstance(content, Path):
                    _linked(content, path)
                    continue
                # half a surrogate pair, in a column that nobody reads, becomes its JSON escape
                path.write_text(content, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise UsageError(f'cannot write "{error.filename}": {error.strerror}') from None


def _linked(file: Path, place: Path) -> None:
    try:
        os.link(os.path.realpath(file), place)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(file, place)


def _near(path: Path) -> str:
    """A path as one types it here: relative where it is below the current folder, quoted where it must be."""
    here = Path(os.getcwd())
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _refuse_existing(files: Iterable[Path]) -> None:
    for path in files:
        if path.exists() or path.is_symlink():
            raise UsageError(f'"{path}" exists already and is left as it is; choose another --out')
