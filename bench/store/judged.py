"""What judges, encoders and models of inference said of a run's answers, in `<run>/judged/`: a file for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from bench.core.errors import DamagedError
from bench.core.names import as_name
from bench.core.values import Strict
from bench.store.archive import RunPath, files_of
from bench.store.json_files import read_json, write_json

FOLDER = "judged"
T = TypeVar("T")
REFERENCE = "reference"  # what answers are set against, where it is no method


@dataclass(frozen=True, slots=True)
class Bounds(Strict):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration(Strict):
    """How a judge stands to what people judged."""

    labels: int  # judgements of people
    kappa: Bounds  # Cohen's; of grades with quadratic weights
    agrees: float  # share of the judgements that are the same
    same_order: Bounds | None  # share of the pairs that are judged the same in both orders; null for grades
    first: float | None  # share of all its preferences that are for the answer that stands first
    length_bias: Bounds | None  # how much more it favours the longer answer than people do; null where all are as long
    unread: int = 0  # of the labels, on which it gave no judgement
    refused: tuple[str, ...] = ()  # why it does not count as a judge


@dataclass(frozen=True, slots=True)
class JudgedMethod(Strict):
    """The judgements of one method's answers, in the order of the task's items."""

    model: str
    method: str
    keys: tuple[str, ...]  # of its cells
    scores: tuple[tuple[float, ...], ...]  # [seeds][items], from 0 to 1
    unread: int = 0  # items on which the judge gave no judgement


@dataclass(frozen=True, slots=True)
class Judged(Strict):
    """What one judge said of the answers to one task."""

    task: str
    judge: str  # as it is called
    digest: str  # of its weights, or of its endpoint
    form: Literal["pairs", "grades"]
    criteria: str
    against: str  # what each answer is set against: the reference, or a method; "" of grades
    calibration: Calibration
    prompt_tokens: int  # that the judge read, calibration included
    seconds: float  # that it took
    methods: tuple[JudgedMethod, ...] = ()  # none where the judge is refused
    schema: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Likeness(Strict):
    """How alike one method's answers are to the references, in the order of the task's items: [seeds][items] each."""

    model: str
    method: str
    keys: tuple[str, ...]  # of its cells
    cosine: tuple[tuple[float, ...], ...]  # of the two texts' vectors
    bertscore: tuple[tuple[float, ...], ...]  # F1 of their tokens' vectors


@dataclass(frozen=True, slots=True)
class Alike(Strict):
    """How alike a run's answers to one task are to the references, to a sentence encoder."""

    task: str
    encoder: str
    digest: str  # of its weights
    methods: tuple[Likeness, ...]
    schema: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class EntailedMethod(Strict):
    """How likely the passages shown entail one method's answers, in the order of the task's items."""

    model: str
    method: str
    keys: tuple[str, ...]  # of its cells
    chances: tuple[tuple[float | None, ...], ...]  # [seeds][items], from 0 to 1; null: nothing shown, or nothing said
    too_long: int = 0  # answers that the model cannot read whole: their chance is 0


@dataclass(frozen=True, slots=True)
class Entailed(Strict):
    """Whether a run's answers to one task follow from the passages shown, to a model of inference."""

    task: str
    by: str  # the model
    digest: str  # of its weights
    methods: tuple[EntailedMethod, ...]
    schema: Literal[1] = 1


_JUDGED = TypeAdapter(Judged)
_ALIKE = TypeAdapter(Alike)
_ENTAILED = TypeAdapter(Entailed)
_ALIKE_SUFFIX, _ENTAILED_SUFFIX = ".similarity", ".entailment"


def write_judged(run: Path, judged: Judged) -> None:
    """Write what a judge said into the folder of a run, in place of what it said before."""
    _write(run, f"{as_name(judged.task)}.{as_name(judged.judge)}", judged)


def write_alike(run: Path, alike: Alike) -> None:
    """Write what an encoder says into the folder of a run, in place of what one said before."""
    _write(run, f"{as_name(alike.task)}{_ALIKE_SUFFIX}", alike)


def write_entailed(run: Path, entailed: Entailed) -> None:
    """Write what a model of inference says into the folder of a run, in place of what one said before."""
    _write(run, f"{as_name(entailed.task)}{_ENTAILED_SUFFIX}", entailed)


def read_judged(run: Path) -> Sequence[Judged]:
    """What every judge said of a run's answers, in order of task and judge.

    Raises:
        DamagedError: a file is not what adaptbench writes.
    """
    return [_read(file, _JUDGED) for file in _files(run, "")]


def read_alike(run: Path) -> Sequence[Alike]:
    """What encoders say of a run's answers, in order of task.

    Raises:
        DamagedError: a file is not what adaptbench writes.
    """
    return [_read(file, _ALIKE) for file in _files(run, _ALIKE_SUFFIX)]


def read_entailed(run: Path) -> Sequence[Entailed]:
    """What models of inference say of a run's answers, in order of task.

    Raises:
        DamagedError: a file is not what adaptbench writes.
    """
    return [_read(file, _ENTAILED) for file in _files(run, _ENTAILED_SUFFIX)]


def _write(run: Path, name: str, content: Judged | Alike | Entailed) -> None:
    (run / FOLDER).mkdir(exist_ok=True)
    write_json(run / FOLDER / f"{name}.json", asdict(content))


def _files(run: Path, suffix: str) -> list[RunPath]:
    """The files of one kind, in order of name; without a suffix those of judges."""
    folder = files_of(run) / FOLDER
    if not folder.is_dir():
        return []
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".json"))
    return [folder / name for name in names if _suffix(name) == suffix]


def _suffix(name: str) -> str:
    return next((each for each in (_ALIKE_SUFFIX, _ENTAILED_SUFFIX) if name.endswith(f"{each}.json")), "")


def _read(file: RunPath, of: TypeAdapter[T]) -> T:
    try:
        return of.validate_python(read_json(file))
    except ValidationError:
        raise DamagedError(f"{file} is not what adaptbench writes; remove it and judge again") from None
