"""Items of a task without answers, from a file of their own: what a teacher is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.core.item import Example
from bench.core.quoting import shown
from tasks.loader.examples import Draft, own_choices
from tasks.loader.problems import Problems
from tasks.loader.read import read_task
from tasks.loader.row import Row
from tasks.loader.rows import missing_column, read_table
from tasks.loader.splits import named

NAME = "unlabelled"  # the split in the ids of such items


def read_unlabelled(folder: Path, path: Path) -> tuple[Example, ...]:
    """The items of the file `path`, whose columns are those of the task in `folder`, without references.

    Items that are the same are taken once, those of the training split not at all. A column with answers, if there is
    one, is not looked at.

    Raises TaskError, one line for each problem: a missing column, an empty cell, an item of the test or validation
    split.
    """
    loaded, problems, file = read_task(folder), Problems(), str(path)
    spec, task = loaded.spec, loaded.task
    if task.picture_field:
        problems.add(
            file, f"items without labels are texts, and {shown(spec.name)} is a task of pictures", "leave it out"
        )
        problems.check()
    table = read_table(path, file, problems)
    problems.check()
    assert table is not None
    needed = dict.fromkeys(spec.columns, "the template names")
    if spec.choices_field:
        needed |= {spec.choices_field: "choices_field names"}
    for column, why in needed.items():
        missing_column(table, column, why, problems)
    if not table.rows:
        problems.add(file, "no rows: there is nothing to answer", "add rows, or leave unlabelled out")
    problems.check()
    rows = (Row(cells, number, file, problems) for number, cells in zip(table.numbers, table.rows, strict=True))
    shared = () if spec.choices_field or task.kind != "choice" else task.test[0].choices
    kept = {"test": task.test, "validation": task.validation}
    held = {task.prompt.ask(example): split for split, examples in kept.items() for example in examples}
    labelled = {task.prompt.ask(example) for example in task.train}
    found: dict[str, Draft] = {}
    for row in rows:
        texts = {name: row.text(name) for name in spec.columns}
        choices = tuple(own_choices(row, spec).values()) if spec.choices_field else shared
        fields = {name: text for name, text in texts.items() if text is not None}
        if len(fields) < len(texts) or (task.kind == "choice" and not choices):
            continue
        item = Example("", fields, choices)
        if split := held.get(task.prompt.ask(item)):
            row.complain(f"an item of the {split} split of {shown(task.name)}", "remove it: a teacher is shown none")
        if task.prompt.ask(item) not in labelled:
            found.setdefault(task.prompt.ask(item), Draft(item, row.number, file))
    problems.check()
    return tuple(replace(draft.example, references=()) for draft in named(NAME, found.values(), problems))
