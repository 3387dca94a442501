"""The keys of a `task.yaml`: their types, their defaults and what each may be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bench.core.counterfactual import Slot
from bench.core.names import LONGEST_NAME, NAME, NAME_RULE
from bench.core.prompt import CHOICES, Prompt, placeholders
from bench.core.quoting import shown
from bench.core.task import Extract, Rule
from tasks.loader.rows import text_of

SPLITS = ("train", "validation", "test")
_DEFAULT_METRICS = {
    "choice": ("accuracy", "macro_f1"),
    "text": ("exact_match", "token_f1"),
    "prose": ("bits_per_byte",),
}


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _path_only(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _label(value: Any) -> str:
    try:
        text = text_of(value)
    except TypeError as error:
        raise ValueError(f"a choice is {error.args[0]}; it must be text") from None
    if text is None:
        raise ValueError("a choice is empty; every choice needs text")
    return text.strip()


def labels_of(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {_label(stored): _label(label) for stored, label in value.items()}
    if not isinstance(value, list):
        raise ValueError("it must be a list of labels, or a mapping of stored label to shown text")
    labels = [_label(entry) for entry in value]
    twice = next((label for label, count in Counter(labels).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{shown(twice)} is listed twice; name each choice once")
    return {label: label for label in labels}


def _values_of(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise ValueError("it must be a mapping of column to value, or to a list of values")
    many = {str(column): one if isinstance(one, list) else [one] for column, one in value.items()}
    return {column: tuple(_label(one) for one in values) for column, values in many.items()}


def _rules_of(value: Any) -> tuple[Any, ...]:
    rules = tuple(value) if isinstance(value, list) else (value,)
    allowed = get_args(Rule)
    if not rules or len(set(map(str, rules))) < len(rules) or any(rule not in allowed for rule in rules):
        raise ValueError(f"it must be {', '.join(allowed[:-1])} or {allowed[-1]}, or a list of these, each once")
    return rules


def _extract_of(value: Any) -> Extract:
    if value in ("first_line", "last_number", "json"):
        return Extract(value)
    if not isinstance(value, dict) or set(value) != {"regex"} or not isinstance(value["regex"], str):
        raise ValueError("it must be first_line, last_number, json, or a mapping with regex")
    try:
        re.compile(value["regex"])
    except re.error as error:
        raise ValueError(f"{shown(value['regex'])} is no regular expression: {error}") from None
    return Extract("regex", value["regex"])


# `json_schema_input_type`: what a file may hold there, for the published JSON Schema.
_Label: TypeAlias = str | int | float | bool
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more, json_schema_input_type=str | list[str])]
Labels = Annotated[dict[str, str], BeforeValidator(labels_of, json_schema_input_type=list[_Label] | dict[str, _Label])]
RankingRules = Annotated[tuple[Rule, ...], BeforeValidator(_rules_of, json_schema_input_type=Rule | list[Rule])]
ExtractRule = Annotated[
    Extract,
    BeforeValidator(
        _extract_of, json_schema_input_type=Literal["first_line", "last_number", "json"] | dict[Literal["regex"], str]
    ),
]
Where = Annotated[
    dict[str, tuple[str, ...]],
    BeforeValidator(_values_of, json_schema_input_type=dict[str, _Label | list[_Label]]),
]


class Keys(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Split(Keys):
    """Where the rows of one split are: a file, or a part carved out of train."""

    path: str = Field("", description="a CSV, TSV, JSONL or Parquet file")
    where: Where = Field(default_factory=dict, description="column: value, or column: [values], of the rows to keep")
    group_by: str = Field("", description="a column; rows of one value become one item")
    sample: int | None = Field(None, ge=1, description="a fixed sample of this many items, 1 or more")
    delimiter: str = Field("", max_length=1, description="one character, for CSV and TSV files")
    quotes: bool = Field(True, description="whether cells may stand in double quotes, for CSV and TSV files")
    carved_from: Literal["", "train"] = Field("", alias="from", description="train")
    size: int | None = Field(None, ge=1, description="how many items to carve out, 1 or more")


SplitOrPath = Annotated[Split, BeforeValidator(_path_only, json_schema_input_type=str | Split)]


class Splits(Keys):
    """The three splits; only `test` must be there."""

    train: SplitOrPath | None = Field(None, description="a path, or a mapping with path")
    validation: SplitOrPath | None = Field(None, description="a path, or a mapping with path or from")
    test: SplitOrPath = Field(description="a path, or a mapping with path", examples=["test: test.jsonl"])

    def present(self) -> Iterator[tuple[str, Split]]:
        """(name, split) of the splits that are there, in order."""
        for name in SPLITS:
            split = getattr(self, name)
            if split is not None:
                yield name, split


class Corpus(Keys):
    """Documents to retrieve passages from."""

    path: str = Field(
        description="a CSV, TSV, JSONL or Parquet file, or a folder of texts", examples=["path: corpus.jsonl"]
    )
    most_mb: float = Field(20.0, gt=0, description="megabytes of a file in a folder at most, more than 0")
    id: str = Field("id", description="the column of passage ids")
    text: str = Field("text", description="the column of passage texts")
    title: str = Field("", description="the column of titles, where there is one")


CorpusOrPath = Annotated[Corpus, BeforeValidator(_path_only, json_schema_input_type=str | Corpus)]


class Counterfactual(Keys):
    """Two forms of an item that ought to get the same answer."""

    column: Names = Field((), description="a column or a list of columns; default: all of the template")
    swap: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = Field(
        (), description="a list of groups of words that may stand for each other", examples=["swap: [[Anna, Ahmed]]"]
    )
    frame: tuple[str, ...] = Field((), description="two texts with {} where the item's own text goes")

    @model_validator(mode="after")
    def _one_way(self) -> Counterfactual:
        if bool(self.swap) == bool(self.frame):
            raise ValueError("it must have either swap or frame")
        if self.frame and (len(self.frame) != 2 or not all("{}" in text for text in self.frame)):
            raise ValueError("frame must be two texts with {} in each")
        return self


class Refusing(Keys):
    """What an item without an answer is, and what says so."""

    answer: str = Field(min_length=1, description="what is right to say of a question without an answer")
    also: Names = Field((), description="a list of texts that say the same")
    unanswerable: str = Field("", description="the column that is true for items without an answer")


class Purchases(Keys):
    """Where items say what their customer bought before."""

    column: str = Field(min_length=1, description="a column of the template", examples=["column: history"])
    separator: str = Field("", description="text between two products; without it they are found by name")


def _column_only(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


PurchasesOrColumn = Annotated[Purchases, BeforeValidator(_column_only, json_schema_input_type=str | Purchases)]


class Judging(Keys):
    """How texts are judged by a model, and when its judgements count."""

    criteria: str = Field(min_length=1, description="what the judge is told to look at")
    labels: str = Field(
        min_length=1,
        description="a file of what people judged: the template's columns, and a, b, better or answer, grade",
        examples=["labels: judged.jsonl"],
    )
    form: Literal["pairs", "grades"] = Field("pairs", description="pairs or grades")
    grades: Labels = Field(
        default_factory=lambda: labels_of(["1", "2", "3", "4", "5"]), description="a list of grades, the worst first"
    )
    least_kappa: float = Field(0.4, ge=0, le=1, description="a number from 0 to 1")
    least_same_order: float = Field(0.6, ge=0, le=1, description="a share from 0 to 1")
    most_length_bias: float = Field(0.1, ge=0, le=1, description="a share from 0 to 1")


class Hub(Keys):
    """A data set on the Hugging Face Hub, at one commit."""

    dataset: str = Field(pattern=r"^\w[\w.-]*/?\w[\w.-]*$", description="owner/name", examples=["dataset: owner/name"])
    config: str | None = Field(None, description="the configuration's name")
    revision: str = Field(
        pattern=r"^[0-9a-f]{40}$",
        description="the full 40-digit commit hash of the data set's repository: a branch or tag can move",
        examples=["revision: <40-digit commit hash>"],
    )
    splits: Splits = Field(description="as splits, of split names", examples=["splits: {test: test}"])


def _template_or_image(schema: dict[str, Any]) -> None:
    """What is asked of a picture is the picture: see `_picture_alone`."""
    schema["required"].remove("template")
    schema["anyOf"] = [{"required": ["template"]}, {"required": ["image"]}]


class TaskSpec(Keys):
    """Everything a `task.yaml` says. `docs/task-format.md` is the reference for users."""

    model_config = ConfigDict(json_schema_extra=_template_or_image)
    name: str = Field(pattern=NAME, max_length=LONGEST_NAME, description=NAME_RULE, examples=["name: my-task"])
    kind: Literal["choice", "text", "prose"] = Field(description="choice, text or prose", examples=["kind: choice"])
    version: int = Field(1, ge=1, description="a whole number, raised when the task changes")
    description: str = Field("", description="one or two sentences")
    licence: str = Field("", description="the licence of the data")
    source: str = Field("", description="where the data comes from")
    contamination: str = Field("", description="which models are known to have seen the data; the report shows it")
    instruction: str = Field("", description="text that stands once before everything else")
    image: str = Field("", description="the column that holds pictures: paths beside the table, or bytes in Parquet")
    template: str = Field(
        min_length=1,
        description="text (in quotes) that names columns in braces",
        examples=['template: "Message: {text}\\nIntent:"'],
    )
    passage_template: str = Field("{title}\n{text}", description="text that names {text}, {title} or {id}")
    query_template: str = Field("", description="text that names columns in braces")
    answer: str = Field("", description="the column that holds the answer")
    answers: Names = Field((), description="a column or a list of columns that hold the references")
    answer_is: Literal["text", "index"] = Field("text", description="text or index")
    choices: Labels | None = Field(None, description="a list of labels, or a mapping of stored to shown")
    choices_file: str = Field("", description="a JSON list, or a text file with one choice on each line")
    choices_field: str = Field("", description="the column that holds each item's own choices")
    choice_keys: str = Field("", description="the column with the keys of each item's own choices, such as A, B, C")
    choice_words: bool = Field(False, description="true or false")
    splits: Splits | None = Field(None, description="a mapping of train, validation and test")
    hub: Hub | None = Field(None, description="a mapping with dataset, revision and splits")
    corpus: CorpusOrPath | None = Field(None, description="a path, or a mapping with path")
    gold: str = Field("", description="the column that holds the ids of an item's gold passages")
    group: str = Field("", description="the column whose value items that belong together share, such as a document")
    counterfactuals: dict[str, Counterfactual] = Field(
        default_factory=dict, description="a mapping of name to swap or frame"
    )
    refusal: Refusing | None = Field(None, description="a mapping with answer: what says that there is no answer")
    history: PurchasesOrColumn | None = Field(
        None, description="the column of the template that says what a customer bought, or a mapping with column"
    )
    judging: Judging | None = Field(None, description="a mapping with criteria and labels")
    metrics: Names = Field((), description="a list of metric names, the primary one first")
    normalise: RankingRules = Field(("none",), description="none, tokens, chars or pmi, or a list of these")
    stop: Names = Field(("\n\n",), description="a list of texts that end an answer")
    max_new_tokens: int = Field(64, ge=1, description="the longest answer in tokens, 1 or more")
    lowercase: bool = Field(False, description="true or false")
    extract: ExtractRule | None = Field(None, description="first_line, last_number, json, or a mapping with regex")
    allow_overlap: bool = Field(False, description="true or false")

    @model_validator(mode="before")
    @classmethod
    def _picture_alone(cls, given: Any) -> Any:
        """What is asked of a picture is the picture: its template need not be written."""
        if isinstance(given, dict) and isinstance(given.get("image"), str) and given["image"]:
            return {"template": f"{{{given['image']}}}", **given}
        return given

    @property
    def sources(self) -> Splits:
        """The splits, of files or of the Hub data set."""
        splits = self.hub.splits if self.hub else self.splits
        assert splits is not None  # read_spec refuses a task with neither
        return splits

    @property
    def references(self) -> tuple[str, ...]:
        """The columns that hold the answers."""
        return self.answers or (self.answer,)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the templates show: an item's fields."""
        names = placeholders(self.template) + placeholders(self.query_template)
        reserved = (CHOICES,) if self.kind == "choice" else ()
        return tuple(name for name in dict.fromkeys(names) if name not in reserved)

    def slots(self) -> tuple[Slot, ...]:
        """The ways to change an item that ought not to change its answer."""
        return tuple(
            Slot(name, one.column or self.columns, one.swap, one.frame) for name, one in self.counterfactuals.items()
        )

    def prompt(self) -> Prompt:
        """The task's prompt."""
        return Prompt(self.instruction.strip(), self.template, self.passage_template, self.query_template)

    def primary_first(self) -> tuple[str, ...]:
        """The metrics, by default those of the kind; macro-F1 needs labels that all items share."""
        chosen = self.metrics or _DEFAULT_METRICS[self.kind]
        return ("accuracy",) if self.choices_field and not self.metrics else chosen
