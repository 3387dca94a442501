"""What `adaptbench export` writes: one folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.core.atomic import sync
from bench.core.errors import CellError, UsageError
from bench.core.method import NEAREST_ANSWER
from bench.export import again, card, scripts, served, settings, weights
from bench.export.again import Progress, Retrained
from bench.export.chosen import Chosen
from bench.model.load import load_base
from bench.store.pack import unpack
from bench.store.staging import refuse_taken, staging


@dataclass(frozen=True)
class Exported:
    """What was written."""

    chosen: Chosen
    form: weights.Form
    again: Retrained | None  # None where the run's own weights were taken, or there are none to train


@contextmanager
def as_folder(run: Path) -> Iterator[Path]:
    """The folder of a run; of an archive a copy beside it, from where tasks are found as from the archive."""
    if not run.is_file():
        yield run
        return
    with TemporaryDirectory(prefix=f".exporting-{run.name}-", dir=run.parent) as folder:
        yield unpack(run, Path(folder))


def export(chosen: Chosen, out: Path, merged: bool, retrain_on: str | None, progress: Progress) -> Exported:
    """Write what serves a measured cell to the new folder `out`.

    `merged`: a whole model in place of an adapter. `retrain_on`: "train" or "train+validation", to train it again.

    Raises:
        UsageError: weights that are not there, a method that cannot be exported, or a folder that is taken.
    """
    refuse_taken(out)
    learns = chosen.method.weights.learner.reads_train
    if retrain_on and not learns:
        raise UsageError(f"{chosen.record.method} trains nothing; leave out --retrain-on")
    keeps = learns and chosen.method.weights.learner is not NEAREST_ANSWER  # which copies what it is given
    if keeps and chosen.weights is None and not retrain_on:
        raise UsageError(
            f"the run keeps no weights of {chosen.record.method} with seed {chosen.record.seed}; train them again with "
            "--retrain-on train, or measure with keep: winner"
        )
    with TemporaryDirectory() as place, staging(out, "exporting") as folder:
        trained = again.retrain(chosen, retrain_on, Path(place), progress) if retrain_on else None
        form = _write(chosen, trained, folder, merged)
        for file in (*folder.rglob("*"), folder):
            file.chmod(0o755 if file.is_dir() else 0o644)  # safetensors writes files that none but their owner reads
            sync(file)
    return Exported(chosen, form, trained)


def _write(chosen: Chosen, trained: Retrained | None, folder: Path, merged: bool) -> weights.Form:
    if chosen.model.kind == "served":
        if merged:
            raise UsageError(f"the weights of {chosen.record.model} are not here: there is nothing to merge")
        form, dtype, said = served.FORM, "", served.of_served(chosen, folder)
    else:
        form, dtype, said = _of_weights(chosen, trained, folder, merged)
    written = settings.write(chosen, form, dtype, said, folder)
    told = {**written, "adapter": weights.of_adapter(folder) if form == "adapter" else None}
    scripts.copy(written, folder)
    (folder / "README.md").write_text(card.card(chosen, told, trained), encoding="utf-8")
    return form


def _of_weights(
    chosen: Chosen, trained: Retrained | None, folder: Path, merged: bool
) -> tuple[weights.Form, str, dict[str, Any]]:
    """Write the weights, the tokenizer and the index; returns form, precision and what the kind needs."""
    session = settings.session_of(chosen, joined=trained is not None and trained.on != "train")
    try:
        base = load_base(chosen.cell_model, session.meter.device, quick=False)
        kept = trained.weights if trained else chosen.weights
        form = weights.write(chosen, kept, base, session, folder, merged)
    except CellError as error:
        raise UsageError(str(error)) from None
    return form, str(session.base.dtype).removeprefix("torch."), settings.of_kind(chosen, session, folder)
