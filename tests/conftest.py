"""What every test may use: a tiny model, the public data, and a network that is shut."""

from __future__ import annotations

import gc
import ipaddress
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Set before any test imports a library that reads them; worker processes inherit them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tiny models gain nothing from more threads, and tests then do not depend on the machine's size.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")  # without tiles, `dtype: auto` is float32 everywhere

# How long an example takes says nothing on a busy machine.
settings.register_profile("adaptbench", deadline=None)
settings.load_profile("adaptbench")


class NetworkBlockedError(OSError):
    """A test tried to reach another machine."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `gpu` or `slurm` where there is none; torch is imported only for their sake."""
    for marker, is_there, reason in (
        ("gpu", _sees_gpu, "needs a CUDA device; torch sees none"),
        ("slurm", _sees_slurm, "needs a running Slurm; scripts/slurm_here.sh starts one"),
    ):
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and not is_there():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what the imports made out of every later collection of garbage: each training asks for one, of 0.7 s."""
    gc.collect()
    gc.freeze()


def _sees_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _sees_slurm() -> bool:
    try:
        return subprocess.run(["sinfo"], capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the test session's own, so that no test reads or writes the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADAPTBENCH_CACHE", str(folder))
        from bench.model import tiny_random

        patch.setattr(tiny_random, "DEFAULT_FOLDER", folder / tiny_random.DEFAULT_FOLDER.name)
        yield folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a byte-level Llama with random weights (115,200 parameters, context 512 tokens)."""
    from bench.model import tiny_random

    return tiny_random.build(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random sentence encoder whose queries and documents have prompts of their own."""
    from tests.encoder import build

    return build(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random vision transformer."""
    from tests.pictures import build_transformer

    return build_transformer(tmp_path_factory.mktemp("seeing"))


@pytest.fixture
def task_folder(tmp_path: Path) -> Path:
    """A small choice task on disk."""
    from tests.small import write_task

    return write_task(tmp_path)


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public data sets that `ADAPTBENCH_DATA` names."""
    named = os.environ.get("ADAPTBENCH_DATA")
    if not named:
        pytest.skip("ADAPTBENCH_DATA is not set; it names the folder of public data sets")
    if not Path(named).is_dir():
        pytest.skip(f"ADAPTBENCH_DATA names no folder: {named}")
    return Path(named)


@pytest.fixture(autouse=True)
def network_attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuse every way out of this machine, and fail the test that tried, even if it hid the error."""
    attempts: list[str] = []

    def refuse(host: object) -> None:
        attempts.append(str(host))
        raise NetworkBlockedError(f"tests are offline; this one tried to reach {host!r}")

    _guard_sockets(monkeypatch, refuse)
    yield attempts
    if attempts:
        pytest.fail(f"the test tried to reach the network: {', '.join(attempts)}")


def _guard_sockets(monkeypatch: pytest.MonkeyPatch, refuse: Callable[[object], None]) -> None:
    def guarded(name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:
            if self.family != socket.AF_UNIX and not _is_local(args[-1][0]):
                refuse(args[-1][0])
            return original(self, *args)

        return call

    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_local(host):
            refuse(host)
        return resolve(host, *args, **kwargs)

    for name in ("connect", "connect_ex", "sendto"):  # the address is the last argument of each
        monkeypatch.setattr(socket.socket, name, guarded(name))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
