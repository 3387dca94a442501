"""`adaptbench init`: from a table to a task folder and a starter suite, saying what was guessed.

The task that comes out passes `adaptbench check`: rows without question or answer are left out, the same question
never stands in two splits, and the choices are listed. Labels that look alike are left for its author to merge.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.authoring.column_guess import Guess, Row, answers_of, guess, is_usable
from bench.core.errors import UsageError, unknown
from bench.core.hashing import sha256
from bench.core.prompt import CHOICE_SEPARATOR
from bench.core.quoting import listed, shown
from bench.core.yaml_file import means_text
from tasks.loader.choices import look_alikes
from tasks.loader.examples import as_words
from tasks.loader.manifest import FILE
from tasks.loader.problems import Problems
from tasks.loader.rows import FORMATS, read_table, text_or_none

SPLIT_FILES = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
_SHARES = {"test": 0.2, "validation": 0.1}  # the rest is train
_LISTED = 20  # choices that are still written into task.yaml itself
_IN_PROMPT = 40  # choices that the instruction still lists
# Names whose parts are parted by hyphens or underscores alone: what as_words makes of them loses nothing.
_PARTED = re.compile(r"[^\W_]+(_[^\W_]+|-[^\W\d_][^\W_]*)*")


_INSTRUCTIONS = {"choice": "Classify the text. Answer with the label alone.", "text": "Answer the question."}


class _Dumper(yaml.SafeDumper):
    """YAML with templates and empty texts in double quotes on one line, as people write them."""


def _text_node(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    quoted = "\n" in text or "{" in text or not means_text(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if quoted else None)


_Dumper.add_representer(str, _text_node)


def init(
    data: Path,
    out: Path | None = None,
    test: Path | None = None,
    *,
    question: str | None = None,
    answer: str | None = None,
    kind: str | None = None,
    model: str = "mini",
) -> list[str]:
    """Make the task folder `out` and, beside it, `<out>.suite.yaml`; returns what was guessed, one line each.

    `data` is a file, or a folder with train, validation and test files; `test` is a file of test rows.
    `out` is by default named after the data, in the current folder; `model` is what the suite begins with. The last
    lines say what was written.

    Raises UsageError where a file is in the way, a column does not exist or the rows are too few, and
    TaskError where a file cannot be read.
    """
    if kind not in (None, "choice", "text"):
        raise UsageError(unknown("kind", str(kind), ("choice", "text")))
    data = data.expanduser()
    out = (out or Path(f"{data.resolve().name}-task" if data.is_dir() else data.stem)).expanduser().resolve()
    suite = out.parent / f"{out.name}.suite.yaml"
    _refuse_existing([out / FILE, suite])  # before the work of reading
    splits = _read(data, test)
    guessed = guess([row for found in splits.values() for row in found], question, answer, kind)
    splits = _divided(_usable(splits, guessed), guessed)
    files = {**_files(out, splits, guessed), suite: _suite(out, model)}
    _refuse_existing(files)
    _write(files)
    return [*guessed.notes, f"wrote {out}: {listed(path.name for path in files if path != suite)}", f"wrote {suite}"]


def _write(files: Mapping[Path, str]) -> None:
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            # half a surrogate pair, in a column that nobody reads, becomes its JSON escape
            path.write_text(content, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise UsageError(f'cannot write "{error.filename}": {error.strerror}') from None


def _read(data: Path, test: Path | None) -> dict[str, list[Row]]:
    """Split -> rows; of a single file, all rows are train."""
    if data.is_dir():
        files = _split_files(data)
    elif not data.exists():
        raise UsageError(f'no such file or folder: "{data}"')
    else:
        files = {"train": data}
    if test is not None:
        files["test"] = test.expanduser()
    problems = Problems()
    tables = {split: read_table(path, str(path), problems) for split, path in files.items()}
    problems.check()
    return {split: table.rows for split, table in tables.items() if table is not None}


def _split_files(folder: Path) -> dict[str, Path]:
    files = {path.stem.lower(): path for path in sorted(folder.iterdir()) if path.suffix.lower() in FORMATS}
    found = {split: next((files[n] for n in names if n in files), None) for split, names in SPLIT_FILES.items()}
    if found["train"] is None:
        raise UsageError(f'no train file in "{folder}"; expected train{"/".join(FORMATS)}, or give one file')
    return {split: path for split, path in found.items() if path is not None}


def _usable(splits: Mapping[str, list[Row]], guessed: Guess) -> dict[str, list[Row]]:
    kept = {split: [row for row in rows if is_usable(row, guessed)] for split, rows in splits.items()}
    lost = sum(map(len, splits.values())) - sum(map(len, kept.values()))
    if lost:
        guessed.notes.append(f"rows left out for want of a usable question or answer: {lost}")
    if not any(kept.values()):
        columns = f"columns {shown(guessed.question)} and {shown(guessed.answer)}"
        raise UsageError(f"no row has a usable question and answer ({columns}, kind {guessed.kind})")
    return kept


def _question(row: Row, guessed: Guess) -> str:
    """What the prompt asks of a row: the same text is the same item."""
    columns = (guessed.passage, guessed.question)
    return "\n".join((text_or_none(row.get(name)) or "").rstrip(" \t") for name in columns if name)


def _template(guessed: Guess) -> str:
    """The lines of a prompt that show the row."""
    columns = (guessed.passage, guessed.question)
    return "".join(f"{_title(name)}: {{{name}}}\n" for name in columns if name)


def _divided(splits: dict[str, list[Row]], guessed: Guess) -> dict[str, list[Row]]:
    """Three splits without a common question; what is missing is taken out of train by hash."""
    total = len({_question(row, guessed) for row in splits["train"]})
    for split, share in _SHARES.items():
        if split not in splits:
            count = max(1, round(share * total))
            splits["train"], splits[split] = _taken(splits["train"], count, guessed, split)
            found = len(splits[split])
            guessed.notes.append(f"{split}: taken out of the data by hash of the question, rows: {found}")
    _without_leaks(splits, guessed)
    short = [split for split, rows in splits.items() if not rows]
    if short:
        needs = "three splits need three distinct questions or more"
        raise UsageError(f"too few rows: nothing is left for {' and '.join(short)}; {needs}")
    return {split: splits[split] for split in ("train", "validation", "test")}


def _taken(rows: list[Row], count: int, guessed: Guess, split: str) -> tuple[list[Row], list[Row]]:
    """(rest, the rows of `count` distinct questions)."""
    asked = sorted({_question(row, guessed) for row in rows}, key=lambda text: sha256(f"{split}\x1f{text}"))
    chosen = set(asked[:count])
    rest = [row for row in rows if _question(row, guessed) not in chosen]
    return rest, [row for row in rows if _question(row, guessed) in chosen]


def _without_leaks(splits: dict[str, list[Row]], guessed: Guess) -> None:
    """Remove from train, then from validation, what also stands in a later split."""
    for split, later in (("validation", ("test",)), ("train", ("validation", "test"))):
        known = {_question(row, guessed) for name in later for row in splits[name]}
        kept = [row for row in splits[split] if _question(row, guessed) not in known]
        if len(kept) < len(splits[split]):
            lost = len(splits[split]) - len(kept)
            guessed.notes.append(f"{split}: rows left out because their question stands in a later split: {lost}")
        splits[split] = kept


def _files(out: Path, splits: Mapping[str, list[Row]], guessed: Guess) -> dict[Path, str]:
    rows = [row for found in splits.values() for row in found]
    drop_id = _bad_ids(splits)
    if drop_id:
        guessed.notes.append('left out the column "id": it is empty or repeated in places')
    files = {out / f"{split}.jsonl": _jsonl(found, drop_id) for split, found in splits.items()}
    cue = "Label" if guessed.kind == "choice" else "Answer"
    template = f"{_template(guessed)}{cue}:"
    spec: dict[str, Any] = {"name": _name(out), "kind": guessed.kind}
    spec |= dict.fromkeys(("description", "licence", "source"), "")
    spec |= {"instruction": _INSTRUCTIONS[guessed.kind], "template": template, "answer": guessed.answer}
    if guessed.kind == "text":
        spec |= _text_keys(rows, guessed)
    elif guessed.choices_field:
        spec |= _own_choice_keys(guessed)
    else:
        spec |= _choice_keys(rows, guessed, out, files)
    spec["splits"] = {split: _split_entry(split, found, guessed) for split, found in splits.items()}
    head = "# Every key is described in docs/task-format.md. Check the task with: adaptbench check\n"
    files[out / FILE] = head + yaml.dump(spec, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return files


def _split_entry(split: str, rows: Sequence[Row], guessed: Guess) -> str | dict[str, str]:
    """Where a text task asks one question several times, its answers are references of one item."""
    path = f"{split}.jsonl"
    prompts = {_question(row, guessed) for row in rows}
    questions = {(text_or_none(row.get(guessed.question)) or "").rstrip(" \t") for row in rows}
    repeats = len(prompts) < len(rows) and len(questions) == len(prompts)  # one question, several passages: items apart
    if split == "train" or guessed.kind == "choice" or not repeats:
        return path
    guessed.notes.append(f"{split}: rows with the same {shown(guessed.question)} are one item with several references")
    return {"path": path, "group_by": guessed.question}


def _text_keys(rows: Sequence[Row], guessed: Guess) -> dict[str, Any]:
    answers = [text for row in rows for text in answers_of(row, guessed)]
    longest = max(len(text) for text in answers)
    tokens = min(1024, 32 * math.ceil(longest / 2 / 32))  # two characters a token: ample for most tokenisers
    guessed.notes.append(f"max_new_tokens: {tokens}, from the longest answer of {longest} characters")
    stop = next((stop for stop in ("\n", "\n\n") if not any(stop in text for text in answers)), None)
    guessed.notes.append(f"stop: {shown(stop) + ', which no answer holds' if stop else 'only the end token'}")
    return {"max_new_tokens": tokens, "stop": [stop] if stop else []}


def _own_choice_keys(guessed: Guess) -> dict[str, Any]:
    keys = {"instruction": "Choose the correct answer.", "choices_field": guessed.choices_field}
    keys |= {"template": f"{_template(guessed)}Choices: {{choices}}\nAnswer:"}
    keys |= {"choice_keys": guessed.choice_keys} if guessed.choice_keys else {}
    return keys | ({"answer_is": "index"} if guessed.by_index else {})


def _choice_keys(rows: Sequence[Row], guessed: Guess, out: Path, files: dict[Path, str]) -> dict[str, Any]:
    labels = sorted({text for row in rows for text in answers_of(row, guessed)})
    if len(labels) < 2:
        raise UsageError(f"only the answer {shown(labels[0])} is left; a choice needs two or more")
    words = [as_words(label) for label in labels]
    for alike in look_alikes(dict(zip(labels, labels, strict=True))).values():
        guessed.notes.append(f"labels look alike: {listed(map(ascii, alike))}; merge them in the data")
    keys: dict[str, Any] = {"choices": labels}
    if len(labels) > _LISTED:
        files[out / "choices.json"] = json.dumps(labels, ensure_ascii=False, indent=1) + "\n"
        keys = {"choices_file": "choices.json"}
    plain = all(_PARTED.fullmatch(label) or label == word for label, word in zip(labels, words, strict=True))
    if words != labels and len(set(words)) == len(labels) and plain:
        keys["choice_words"] = True
        labels = words
        guessed.notes.append("choice_words: labels are shown with spaces for underscores and hyphens")
    if len(labels) <= _IN_PROMPT:
        keys["instruction"] = f"{_INSTRUCTIONS['choice']} The labels are: {CHOICE_SEPARATOR.join(labels)}."
    return keys


def _bad_ids(splits: Mapping[str, list[Row]]) -> bool:
    for rows in splits.values():
        ids = {(text_or_none(row.get("id")) or "").strip() for row in rows}
        if any("id" in row for row in rows) and ("" in ids or len(ids) < len(rows)):
            return True
    return False


def _jsonl(rows: Iterable[Row], drop_id: bool) -> str:
    kept = ({k: _json_value(v) for k, v in row.items() if k != "id" or not drop_id} for row in rows)

    def as_read(value: Any) -> str:  # such as a decimal
        return text_or_none(value) or str(value)

    return "".join(json.dumps(row, ensure_ascii=False, default=as_read) + "\n" for row in kept)


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value  # JSON has no NaN


def _title(column: str) -> str:
    words = as_words(column)
    return words[:1].upper() + words[1:]


def _name(out: Path) -> str:
    """The folder's name, with what a task name may not hold replaced by hyphens."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in out.name)
    return name.lstrip("._-") or "task"


def _suite(out: Path, model: str) -> str:
    name = _name(out)
    return f"""\
# A starter suite. Run it with: adaptbench run {out.name}.suite.yaml
name: {name}
models:
  - {model}  # or the model you would deploy: a folder, a GGUF file or a Hub id
tasks:
  - {json.dumps(out.name, ensure_ascii=False)}
methods:
  - zero-shot
  - few-shot: {{k: 4}}
  - rag: {{top_k: 3}}
  - lora
  - full
seeds: [0]
"""


def _refuse_existing(files: Iterable[Path]) -> None:
    for path in files:
        if path.exists() or path.is_symlink():
            raise UsageError(f'"{path}" exists already and is left as it is; choose another --out')
