"""One contract for every task that is found, also of other distributions; those without their data are skipped."""

from __future__ import annotations

from collections import Counter

import pytest

import tasks
from bench.core.errors import TaskError
from bench.core.spans import document_of
from bench.core.task import Task
from bench.metrics import refuse_unfit

LIMIT = 5


@pytest.fixture(params=sorted(tasks.available()))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def loaded(name: str, limit: int | None = None) -> Task:
    try:
        return tasks.load(name, limit)
    except TaskError as error:
        if "ADAPTBENCH_DATA" in str(error):
            pytest.skip("its public data is not here")
        raise


def test_a_task_holds_what_every_method_relies_on(name: str) -> None:
    task = loaded(name)
    assert task.test
    for split in (task.train, task.validation, task.test):
        assert max(Counter(example.id for example in split).values(), default=1) == 1
        for example in split:
            assert example.references
            assert set(example.references) <= set(example.choices or example.references)
    passages = {passage.id for passage in task.corpus}
    assert all({document_of(place) for place in example.gold} <= passages for example in task.test)
    refuse_unfit(task.metrics, task.kind, name)


def test_a_limit_keeps_a_part_of_the_test_items_and_nothing_else_changes(name: str) -> None:
    whole, some = loaded(name), loaded(name, LIMIT)
    ids = [example.id for example in whole.test]
    kept = [example.id for example in some.test]
    assert kept == [each for each in ids if each in set(kept)]
    assert len(kept) == min(LIMIT, len(ids))
    assert (some.train, some.validation, some.corpus) == (whole.train, whole.validation, whole.corpus)
    assert loaded(name).digest == whole.digest
