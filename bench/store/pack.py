"""A run as one file, and back: `pack` writes the archive of a run's folder, `unpack` the folder of an archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bench.core.atomic import sync, write_atomically
from bench.core.errors import DamagedError, UsageError
from bench.core.hashing import sha256
from bench.core.json_text import parse
from bench.store import archive
from bench.store.archive import SUFFIX, Archive
from bench.store.listing import read_listing
from bench.store.run_folder import ANSWERS, LOG, TAUGHT, VECTORS, WEIGHTS
from bench.store.staging import refuse_taken, staging, unwritten

_LINES = ".jsonl"  # predictions, of the task and of probes
_TEXTS = ("output", "group")  # of a prediction; ids are hashes or the data's own row names
_CHOICES = ("scores", "order")  # of a prediction: a number for each choice


def pack(
    run: Path, out: Path | None = None, *, without_texts: bool = False, without_choices: bool = False,
    with_weights: bool = False,
) -> Path:  # fmt: skip
    """Write the files of a run's folder to the archive `out`, or to one beside the folder; returns where.

    Hidden files, such as the lock, and embeddings kept for cells to come are left out, and trained weights unless
    `with_weights` asks for them; with `without_texts` also logs, what endpoints and teachers answered,
    and the texts of predictions, which may be text of the data: hashes stand for them, which tell equal answers and
    groups apart from others; with `without_choices` the log-likelihood and place of each choice, most of an archive
    where choices are many: calibration and what rests on an answer's confidence cannot be read from it then.

    Raises:
        UsageError: no run, one that is being written, or an archive that is there already or cannot be written.
    """
    if run.is_file():
        raise UsageError(f"{run} is a file; only a run's folder can be packed")
    read_listing(run)
    out = out or Path(f"{run if run.name not in ('', '..') else run.resolve()}{SUFFIX}")
    if not out.name.endswith(SUFFIX):
        raise UsageError(f'"{out}" does not end in {SUFFIX}, by which archives of runs are known')
    if out.resolve().is_relative_to(run.resolve()):
        raise UsageError(f"{out} is in the run's own folder; name a file outside with --out")
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} is there already; remove it, or name another file with --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with unwritten(run):
            left_out = {*([LOG, ANSWERS, TAUGHT] if without_texts else []), *([] if with_weights else [WEIGHTS])}
            names = sorted(name for name in _names(run, run) if left_out.isdisjoint(Path(name).parts))
            archive.write(out, ((name, _packed(run / name, without_texts, without_choices)) for name in names))
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None
    sync(out.parent)
    return out


def _packed(file: Path, without_texts: bool, without_choices: bool) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DamagedError(f"{file} cannot be read: {error.strerror}") from None
    if not (without_texts or without_choices) or file.suffix != _LINES:
        return content
    try:
        lines = [parse(line) for line in content.split(b"\n") if line]
        for line in lines:
            if without_texts:
                line.update({name: sha256(line[name])[:16] for name in _TEXTS if line.get(name)})
            if without_choices:
                line.update({name: [] for name in _CHOICES if line.get(name)})
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedError(f"{file} is not what adaptbench wrote: {error}; remove its folder and run again") from None
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def unpack(file: Path, out: Path | None = None) -> Path:
    """Write the files of an archive to the new folder `out`, or to one beside the archive; returns where.

    Raises:
        UsageError: no archive, one that is damaged or cannot be trusted, or a folder that is there already.
    """
    if not file.is_file():
        raise UsageError(f'"{file}" is no archive of a run')
    out = out or file.with_name(file.name.removesuffix(SUFFIX))
    if out == file:
        raise UsageError(f"{file} does not end in {SUFFIX}; name a folder with --out")
    refuse_taken(out)
    packed = Archive(file)
    with staging(out, "unpacking") as folder:
        for member in packed.members:
            target = folder / member
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(packed.read(member))
            sync(target)
        for name in packed.folders:
            sync(folder / name)
    return out


def put(run: Path, name: str, text: str) -> None:
    """Write the file `name` into the run at `run`, a folder or an archive, in place of an older one."""
    if not run.is_file():
        write_atomically(run / name, text)
        return
    old = Archive(run)
    kept = ((member, b"" if member == name else old.read(member)) for member in old.members)
    archive.write(run, sorted({**dict(kept), name: text.encode()}.items()))


def _names(run: Path, folder: Path) -> Iterator[str]:
    """Paths of a run's files as seen from its folder."""
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry == run / VECTORS:
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _names(run, entry)
        elif entry.is_file() and not entry.is_symlink():
            yield entry.relative_to(run).as_posix()
        else:
            raise UsageError(f"{entry} is no plain file; a run's folder holds no others")
