"""README.md of an export: what it is, what was measured of it, and the lines that serve it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tasks
from bench.analysis.comparison import within
from bench.analysis.costs import cost
from bench.analysis.decision.headline_words import forgotten, score
from bench.analysis.decision.rule import quality_intervals
from bench.analysis.decision.words import money, sentences
from bench.config.prices import replaced
from bench.core.errors import AdaptbenchError
from bench.core.identity import PartSettings
from bench.export.again import Retrained
from bench.export.chosen import Chosen
from bench.export.serving_lines import lines
from bench.metrics.formats import clean, duration, number, size, title
from bench.model.card import licence

_UNKNOWN = "unknown"


_HOLDS = {
    "": "those of the base as they are; export.json holds what they are asked",
    "adapter": "an adapter, merged into the base when it is loaded",
    "merged": "all weights of the model",
    "classifier": "a classifier on the last hidden state of the base, in classifier.safetensors",
    "encoder": "the trained encoder, in encoder/, and a classifier on its embeddings, in classifier.safetensors",
    "terms": "a row for each choice over the terms of terms.json, and their idf, in tf-idf.safetensors",
    "products": "counts and factors, in recommender.safetensors, of the products that products.json names",
    "pictures": "all of the model in model.safetensors, and what makes labels of its features in labels.safetensors",
    "examples": "none; examples.jsonl holds the training examples, whose texts and answers it serves",
}


def card(chosen: Chosen, settings: dict[str, Any], again: Retrained | None) -> str:
    """The card as Markdown, tags in front as the Hub reads them."""
    record, base = chosen.record, settings["base"]
    is_model = base["kind"] not in ("classical", "served")
    on = f", on {clean(base['name'])}" if base["kind"] != "classical" else ""
    of_base = (licence(chosen.model.folder) or _UNKNOWN) if is_model else ""
    of_data = tasks.describe(chosen.task_path)
    parts = [
        "---",
        *_tags(settings, of_base),
        "---",
        "",
        f"# {clean(record.method)} for {clean(record.task)}{on}",
        "",
        *_what(chosen, settings),
        "",
        "## Measured",
        "",
        *_measured(chosen, again),
        "",
        "## Serve",
        "",
        *lines(chosen, settings),
        "",
        "## Licences",
        "",
        *([f"- base model: {clean(of_base)}"] if is_model else []),
        f"- data of the task: {clean(of_data.licence) or _UNKNOWN}; source: {clean(of_data.source) or _UNKNOWN}",
        "- what was trained on that data may be bound by both; check before you publish it",
        "",
    ]
    return "\n".join(parts)


def _tags(settings: dict[str, Any], of_base: str) -> Iterator[str]:
    base = settings["base"]
    if of_base not in ("", _UNKNOWN):
        yield f"license: {clean(of_base)}"
    if base["revision"]:
        yield f"base_model: {base['path']}"
    if settings["weights"] in ("adapter", "unmerged", "merged"):
        yield f"library_name: {'transformers' if settings['weights'] == 'merged' else 'peft'}"
    yield "tags: [adaptbench]"


def _what(chosen: Chosen, settings: dict[str, Any]) -> Iterator[str]:
    record, base = chosen.record, settings["base"]
    revision = f", commit {base['revision']}" if base["revision"] else ""
    if base["kind"] == "served":
        yield f"- model: {clean(base['name'])}, as {clean(str(settings['request'].get('model')))} of the endpoint"
    elif base["kind"] != "classical":
        yield f"- base model: {clean(base['name'])} ({clean(base['path'])}{revision}; digest {base['digest']})"
    beside = f"an adapter beside the base{base['form'] and ', which is turned into '}{base['form']}"
    if base["kind"] == "served":
        yield f"- weights: not here, {clean(base['path'])} answers; it was read by {settings['reader']}"
    else:
        yield f"- weights, in {settings['dtype']}: {_HOLDS.get(settings['weights'], beside)}"
    options = {**_options(record.parts.weights), **_options(record.parts.context), **(chosen.chosen or {})}
    yield f"- method: {clean(record.method)}; seed {record.seed}; " + (
        ", ".join(f"{name}: {clean(str(value))}" for name, value in sorted(options.items())) or "no options"
    )
    yield f"- task: {clean(record.task)}, digest {record.identity.task.digest}; cell {record.key}"
    retrieval = settings.get("prompt", {}).get("retrieval")
    if retrieval:
        encoder = retrieval.get("embedder")
        with_ = f", encoder {clean(encoder['name'])} (digest {encoder['digest']})" if encoder else ""
        yield (
            f"- searched: {retrieval['documents']} documents in documents.jsonl (sha256 {retrieval['digest']}), "
            f"{retrieval['retriever']}, {retrieval['shown']} in a prompt{with_}"
        )
        if stage := retrieval.get("stage"):
            by = stage["reranker"]
            named = f", by {clean(by['name'])} (digest {by['digest']})" if by else ""
            yield f"- second stage: of the first {stage['pool']}{named}; lambda of diversity {stage['diversity']:g}"
    yield f"- made with adaptbench {settings['adaptbench']}; predict.py needs none of it"


def _options(part: PartSettings) -> dict[str, object]:
    """The options of a part as a suite would say them; nothing of this machine."""
    options = {name: value for name, value in part.options.items() if name not in ("path", "any_base")}
    several = (list, tuple)
    return {
        name: value[0] if isinstance(value, several) and len(value) == 1 else value for name, value in options.items()
    }


def _measured(chosen: Chosen, again: Retrained | None) -> Iterator[str]:
    record = chosen.record
    prices = replaced(chosen.run.prices, str(chosen.run.path))
    paid, currency = cost(record, prices), prices.currency
    unseen = "" if record.parts.trained_elsewhere else ", which it never learnt from"
    yield f"On {record.items} test items{unseen}. Brackets are 95% intervals of these checkpoints."
    yield ""
    yield f"- {_quality(chosen)}"
    rest = [f"{title(name)} {number(name, one.value)}" for name, one in list(record.scores.items())[1:]]
    if rest:
        yield f"- also, with seed {record.seed}: {'; '.join(rest)}"
    trained = duration(record.wall_s("train")) if "train" in record.phases else "nothing was trained"
    setup = (
        _UNKNOWN
        if record.parts.trained_elsewhere
        else f"{trained}; {money(paid.production or 0.0, currency)} with its index"
    )
    yield f"- training: {setup}; choosing its options: {money(paid.search, currency)}"
    if paid.thousand_queries is not None:
        yield f"- 1,000 queries in batches: {money(paid.thousand_queries, currency)} (compute alone)"
    if "served" in record.latency:
        yield f"- latency, one item at a time: {record.latency['served'].p50 * 1000:,.0f} ms (median)"
    if record.parameters and record.parameters.stored_bytes:
        yield f"- stored beside the base: {size(record.parameters.stored_bytes)}"
    where = record.environment
    yield f"- measured on {clean(where.device_name or where.device) or _UNKNOWN}, {record.created}"
    yield f"- forgotten: {_forgotten(chosen)}"
    if chosen.verdict is not None:
        yield f"- verdict on the task: {sentences(chosen.verdict, currency)[0]}"
    if again is not None:
        yield f"- {_retrained(record.items, again)}"


def _quality(chosen: Chosen) -> str:
    """The primary metric with its interval, over the seeds that were measured."""
    record = chosen.record
    if chosen.verdict is not None and chosen.standing is not None:
        seeds = len(chosen.standing.candidate.answers.seeds)
        return f"{score(chosen.verdict, chosen.standing)}, {seeds} seed{'s' * (seeds != 1)}"
    metric = next(iter(record.scores))
    shown = f"{title(metric)} {number(metric, record.scores[metric].value)}"
    try:
        families = within(chosen.run, record.task, methods=[record.method])
        [interval] = quality_intervals(next(one for one in families if one.model == record.model).answers)
    except (AdaptbenchError, StopIteration):
        return shown
    return f"{shown} [{number(metric, interval.low)}, {number(metric, interval.high)}]"


def _forgotten(chosen: Chosen) -> str:
    if chosen.record.weights_changed is False:
        return "nothing, no weight of the base changed"
    standing = chosen.standing
    if standing is None or not standing.candidate.losses:
        return "not measured (the suite has no probe that can show it)"
    return forgotten(standing)


def _retrained(items: int, again: Retrained) -> str:
    same = f"it answers {again.same_answers} of the {items} test items as the measured one did"
    if again.on == "train":
        return f"these weights were trained again for this export, with the record's options and seed: {same}"
    metric, value = next(iter(again.record.scores.items()))
    return (
        "these weights are not those that the figures are of: they were trained on the validation split too, for as "
        f"many epochs as were best before; {same}, {title(metric)} {number(metric, value.value)}"
    )
