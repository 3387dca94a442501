"""What the requests of a cell may cost that is not measured yet: tokens, by estimate, at dated prices.

Prompts are counted by their characters, whole for every request, as an endpoint may keep nothing of them. Answers are
counted as long as they are allowed to be, so that the bill is rather higher than what is paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.analysis.decision.words import money
from bench.config.prices import Prices
from bench.core.item import Item
from bench.core.measured import TokenPrices, TokensUsed
from bench.core.method import ContextCost
from bench.core.task import Task
from bench.engine.told_choices import answer_tokens
from bench.model.resolve import ResolvedModel
from bench.runs.cells import Cell
from tasks.loader.splits import TRIAL_ITEMS

CHARS_PER_TOKEN = 4.0  # of English under common vocabularies


@dataclass(frozen=True)
class Bill:
    """Tokens that an endpoint is asked for, and what a million of them costs; None: no price is known."""

    model: str
    tokens: TokensUsed
    price: TokenPrices | None
    date: str  # when the price was looked up

    @property
    def money(self) -> float | None:
        """In the currency of the prices."""
        return None if self.price is None else self.price.money(self.tokens)


def bills(cell: Cell, prices: Prices) -> Iterator[Bill]:
    """What a cell asks of endpoints: of its own model, and of its teacher's."""
    task = cell.task
    spec = cell.model.served_at
    if spec is not None:
        validation = min(len(task.validation), TRIAL_ITEMS)
        asked = [*task.test, *task.test[: spec.repeats], *task.validation[:validation] * cell.trials]
        yield _bill(cell.model, task, asked, cell.method.context.cost(task), prices)
    if cell.asks_teacher and cell.teacher is not None and cell.teacher.model.served_at is not None:
        taught = cell.teacher.items or task.train[: cell.train_size]
        yield _bill(cell.teacher.model, task, taught, ContextCost(), prices)


def _bill(model: ResolvedModel, task: Task, asked: Sequence[Item], context: ContextCost, prices: Prices) -> Bill:
    spec = model.served_at
    assert spec is not None
    shown = context.characters / CHARS_PER_TOKEN
    shown = shown if context.most_tokens is None else min(shown, float(context.most_tokens))
    prompts, outputs, requests = 0.0, 0, 0
    for item in asked:
        sent = len(item.choices) if task.kind == "choice" and model.reader == "echo" else 1
        whole = len(task.prompt.preamble() + task.prompt.ask(item)) / CHARS_PER_TOKEN + shown
        prompts, requests = prompts + sent * whole, requests + sent
        outputs += _output(model.reader, task, item)
    price = prices.tokens.get(model.name) or spec.price
    date = (price.date if price else "") or str(prices.as_of)
    return Bill(model.name, TokensUsed(requests, round(prompts), 0, outputs), price, date)


def _output(reader: str, task: Task, item: Item) -> int:
    """Tokens of an item's answers at most; of a reader that is found when the endpoint is asked, a text that names a
    choice.
    """
    if task.kind != "choice":
        return task.max_new_tokens
    return {"decisions": 0, "echo": len(item.choices)}.get(reader, answer_tokens(item.choices))


def summed(every: Sequence[Bill], currency: str) -> str:
    """Money of bills together; tokens where one of them has no price."""
    amounts = [bill.money for bill in every]
    known = [amount for amount in amounts if amount is not None]
    if len(known) < len(amounts):
        return f"~{sum(bill.tokens.tokens for bill in every):,} tokens, no price"
    return f"~{money(sum(known), currency)}"


def told(every: Sequence[Bill], currency: str) -> Iterator[str]:
    """A line for each endpoint: what it is asked for, and at which price."""
    for model in dict.fromkeys(bill.model for bill in every):
        own = [bill for bill in every if bill.model == model]
        total = sum((bill.tokens for bill in own), TokensUsed())
        asked = f"{total.requests:,} requests, about {total.prompt:,} tokens of prompts, {total.output:,} of answers"
        price = own[0].price
        if price is None:
            yield f"{model}: {asked} at most; its price is not known: give the endpoint `price`, or prices: tokens"
        else:
            yield f"{model}: {asked} at most, {summed(own, currency)} at prices of {own[0].date}"
