"""A run as one file: what comes back is what went in, readers see no difference, and a stranger's file is harmless."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import bench
import tasks
from bench import cli
from bench.core.errors import DamagedError, UsageError
from bench.gate import baseline
from bench.store import archive, merge, pack, run_folder
from bench.store.listing import RUN_FILE
from bench.store.staging import take
from tasks.loader.digest import question_digest
from tests.gate.made import Made, policy

_LONG = "0123456789" * 20


@pytest.fixture
def run(task_folder: Path, tmp_path: Path) -> Path:
    """A run of two methods, one of which moved weights, on a task whose items are at hand."""
    return make(tmp_path / "trial", task_folder)


def make(folder: Path, task_folder: Path, created: str = "2026-01-01T00:00:00+00:00") -> Path:
    made = Made(folder)
    common: dict[str, Any] = {"created": created, "questions": question_digest(tasks.load(task_folder)), "identity": {}}
    for seed in range(2):
        made.cell("zero-shot", [1, 0, 0, 1, 0, 0], task="paint", seed=seed, **common)
        made.cell("full", [1, 1, 1, 1, 0, 1], task="paint", seed=seed, **common,
                  probes={"facts": [1, 0, 0, 1]})  # fmt: skip
    made.cell("", [1, 1, 0, 1], task="facts", metric="exact_match", is_base=True, **common)
    for entry in made.entries:
        entry["task_path"] = "../paint"
    return made.done()


def contents(folder: Path) -> dict[str, bytes]:
    """Files by relative path; hidden ones and embeddings are no part of a run."""
    found = {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    hidden = {name for name in found for part in name.parts if part[0] == "." or part == "vectors"}
    return {str(name): content for name, content in found.items() if name not in hidden}


def ended(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli.cli, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, (SystemExit, UsageError)), done.exception
    return done.exit_code, done.stdout, done.stderr


class TestThereAndBack:
    def test_a_folder_comes_back_as_it_was(self, run: Path, tmp_path: Path) -> None:
        (run / "report.html").write_bytes(bytes(range(256)))
        (run / ".lock").touch()
        (run / "cells" / ".writing-x").mkdir()
        (run / "cells" / ".writing-x" / "record.json").write_text("half")
        (run / "vectors" / "x").mkdir(parents=True)
        (run / "vectors" / "x" / "y").write_bytes(b"0" * 1000)
        assert ended("pack", run) == (0, f"{run}.run.zip\n", "")
        code, out, _ = ended("unpack", f"{run}.run.zip", "--out", tmp_path / "deep" / "back")
        assert (code, out) == (0, f"{tmp_path / 'deep' / 'back'}\n")
        assert contents(tmp_path / "deep" / "back") == contents(run)
        assert not list((tmp_path / "deep" / "back").rglob(".*"))
        with zipfile.ZipFile(f"{run}.run.zip") as packed:
            assert set(packed.namelist()) == contents(run).keys()
        shutil.rmtree(run)
        assert pack.unpack(tmp_path / "trial.run.zip") == run
        assert contents(run) == contents(tmp_path / "deep" / "back")

    def test_the_same_run_gives_the_same_bytes(self, run: Path, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        names = sorted(contents(run))
        random.Random(3).shuffle(names)  # another order of entries in the folders
        for name in names:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / name, copy / name)
            os.utime(copy / name, (1e9, 1e9))
            (copy / name).chmod(0o600)
        assert pack.pack(copy).read_bytes() == pack.pack(run).read_bytes()

    def test_an_archive_is_found_by_the_name_of_its_folder(self, run: Path) -> None:
        reports = [("report", run, "--json"), ("decide", run, "--json"), ("compare", run, "--json"),
                   ("history", run, "--json"), ("gate", "--baseline", run, "--candidate", run, "--json")]  # fmt: skip
        packed = pack.pack(run)
        assert bench.load(run).path == run  # both are there
        shutil.rmtree(run)
        for arguments in reports:
            by_file = [packed if argument is run else argument for argument in arguments]
            assert ended(*arguments) == ended(*by_file)
        assert bench.load(run).path == packed
        assert ended("unpack", run) == (0, f"{run}\n", "")
        assert bench.load(run).path == run

    def test_repetitive_lines_take_little_room(self, run: Path) -> None:
        file = next(run.glob("cells/*/predictions.jsonl"))
        file.write_bytes(file.read_bytes() * 500)
        assert pack.pack(run).stat().st_size < sum(map(len, contents(run).values())) / 4

    def test_without_texts(self, run: Path) -> None:
        next((run / "cells").iterdir()).joinpath("log.txt").write_text("a row of the data")
        for folder in ("answers", "taught"):
            (run / folder).mkdir()
            (run / folder / "kept.json").write_text("a row of the data")
        expected = {what: ended(what, run, "--json") for what in ("compare", "report")}
        assert ended("pack", run, "--without-texts")[0] == 0
        packed = Path(f"{run}.run.zip")
        back = pack.unpack(packed, run.parent / "back")
        assert not [*back.rglob("log.txt"), *back.rglob("kept.json")]
        file = next(run.glob("cells/*/predictions.jsonl"))
        plain, hashed = (
            [json.loads(line) for line in path.read_text().splitlines()]
            for path in (file, back / file.relative_to(run))
        )
        for one, other in zip(plain, hashed, strict=True):
            assert {name for name in one if one[name] != other[name]} <= {"output", "group"}
            assert one["output"] == "" or one["output"] not in other["output"]
        same = [len({line["output"] for line in lines}) for lines in (plain, hashed)]
        assert same[0] == same[1]  # equal answers stay equal
        shutil.rmtree(run)
        for what, (code, output, _) in expected.items():
            again = ended(what, packed, "--json")
            assert (again[0], again[1].replace(str(packed), str(run))) == (code, output)

    def test_without_choices(self, run: Path) -> None:
        file = next(run.glob("cells/*/predictions.jsonl"))
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps({**line, "scores": [-0.5, -1.5], "order": [0, 1]}) + "\n" for line in lines))
        back = pack.unpack(pack.pack(run, without_choices=True), run.parent / "back") / file.relative_to(run)
        found = [json.loads(line) for line in back.read_text().splitlines()]
        assert found == [{**line, "scores": [], "order": []} for line in lines]
        assert ended("report", run.parent / "back", "--json")[0] == 0

    def test_a_run_that_is_being_written_is_refused(self, run: Path) -> None:
        with (run / ".lock").open("w") as lock:
            assert take(lock)
            with pytest.raises(UsageError, match=f"another process is writing {run}"):
                pack.pack(run)
        assert sorted(path.name for path in run.parent.iterdir()) == ["paint", "trial"]

    def test_no_half_archive_is_left(self, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*written: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(zipfile.ZipFile, "writestr", full)
            with pytest.raises(UsageError, match=r"cannot write .*No space left on device"):
                pack.pack(run)
        monkeypatch.setattr(Path, "read_bytes", full)  # what cannot be read is named, not the archive
        with pytest.raises(DamagedError, match=r"trial/\S+ cannot be read: No space left on device"):
            pack.pack(run)
        assert sorted(path.name for path in run.parent.iterdir()) == ["paint", "trial"]

    def test_nothing_is_overwritten(self, run: Path, tmp_path: Path) -> None:
        packed = pack.pack(run)
        before = packed.read_bytes()
        plain = Path(shutil.copy(packed, tmp_path / "plain"))
        mistakes: list[tuple[Callable[[], Path], str]] = [
            (lambda: pack.pack(run), "is there already"),
            (lambda: pack.pack(packed), "only a run's folder"),
            (lambda: pack.pack(run, tmp_path / "x.zip"), "does not end in .run.zip"),
            (lambda: pack.pack(run, run / "x.run.zip"), "in the run's own folder"),
            (lambda: pack.pack(run, packed / "x.run.zip"), "cannot write"),
            (lambda: pack.pack(tmp_path / "trail"), 'is no run directory .*did you mean "trial"'),
            (lambda: pack.unpack(packed), "is there already"),
            (lambda: pack.unpack(tmp_path / "none.run.zip"), "is no archive of a run"),
            (lambda: pack.unpack(plain), "does not end in .run.zip"),
        ]
        for mistake, words in mistakes:
            with pytest.raises(UsageError, match=words) as error:
                mistake()
            assert "\n" not in str(error.value)
        assert packed.read_bytes() == before

    def test_links_are_not_followed(self, run: Path) -> None:
        (run / "cells" / "log").symlink_to("/etc/hostname")
        with pytest.raises(UsageError, match="is no plain file"):
            pack.pack(run)


class TestReaders:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["report", "RUN"], ["report", "RUN", "--json"], ["report", "RUN", "--csv"], ["compare", "RUN", "--json"],
            ["compare", "RUN", "--flips", "9"], ["decide", "RUN", "--json"], ["history", "RUN", "--json"],
            ["compare", "RUN", "OTHER", "--json"],
            ["gate", "--baseline", "RUN", "--candidate", "OTHER", "--policy", "POLICY", "--json"],
            ["gate", "--baseline", "OTHER", "--candidate", "RUN", "--policy", "POLICY", "--json"],
        ],
        ids=" ".join,
    )  # fmt: skip
    def test_an_archive_reads_as_its_folder(self, arguments: list[str], run: Path, tmp_path: Path) -> None:
        other = make(tmp_path / "other", tmp_path / "paint", "2026-02-01T00:00:00+00:00")
        packed = pack.pack(run, tmp_path / "packd.run.zip")
        packed = packed.rename(tmp_path / "trail")  # a name as long as the folder's: tables are as wide
        file = policy(tmp_path, quality=[{"margin": 0.02}])
        said = []
        for path in (run, packed):
            places = {"RUN": str(path), "OTHER": str(other), "POLICY": str(file)}
            code, out, err = ended(*(places.get(argument, argument) for argument in arguments))
            whole = re.sub(r"\s+", "", out)  # a long path is broken anywhere
            said.append((code, whole.replace(path.name, run.name), err))
        assert said[0][1]
        assert said[1] == said[0]

    def test_a_page_shows_the_texts_of_items(self, run: Path, tmp_path: Path) -> None:
        pages = []
        for path in (run, pack.pack(run)):
            assert ended("report", path, "--html", tmp_path / "page.html")[0] == 0
            pages.append((tmp_path / "page.html").read_text().replace(path.name, "trial"))
        assert "test thing 1 looks green" in pages[0]
        assert pages[1] == pages[0]

    def test_merging(self, run: Path, tmp_path: Path) -> None:
        merge.merge([pack.pack(run)], tmp_path / "merged")
        merge.merge([run], tmp_path / "again")
        assert contents(tmp_path / "merged") == contents(tmp_path / "again")
        kept = {name: content for name, content in contents(run).items() if name != RUN_FILE}
        assert kept.items() <= contents(tmp_path / "merged").items()

    def test_a_baseline_is_accepted_calibrated_and_verified(self, run: Path, tmp_path: Path) -> None:
        accepted = [baseline.accept(path, "main", tmp_path / place) for path, place in
                    ((run, "a"), (pack.pack(run), "b"))]  # fmt: skip
        left, right = (contents(folder) for folder in accepted)
        assert {name for name in left if left[name] != right.get(name)} == {baseline.FILE}  # names its source
        assert left.keys() == right.keys()
        main = pack.pack(accepted[0])
        before = contents(pack.unpack(main, tmp_path / "before"))
        repeats = [make(tmp_path / f"r{i}", tmp_path / "paint", f"2026-03-0{i}T00:00:00+00:00") for i in (1, 2, 3)]
        code, out, _ = ended("calibrate", main, pack.pack(repeats[0]), *repeats[1:])
        assert (code, out.split(": ")[-1]) == (0, f"{main}/noise.json\n")
        after = contents(pack.unpack(main, tmp_path / "after"))
        assert {name for name in after if after[name] != before.get(name)} == {"noise.json"}
        file = policy(tmp_path, quality=[{"margin": 0.02}])
        code, out, _ = ended("gate", "--baseline", main, "--candidate", repeats[2], "--policy", file, "--json")
        assert '"calibrat' not in out
        assert "was never calibrated" not in out
        changed = next(name for name in before if name.endswith("predictions.jsonl"))
        pack.put(main, changed, before[changed].decode() + "\n")
        code, _, _ = ended("gate", "--baseline", main, "--candidate", repeats[2], "--policy", file, "--json")
        assert code == 4

    def test_runs_are_listed(self, run: Path, tmp_path: Path) -> None:
        packed = pack.pack(run, tmp_path / "deep" / "x.run.zip")
        (tmp_path / ".x.run.zip").write_bytes(b"half")
        shutil.rmtree(run)
        assert run_folder.runs(tmp_path) == [packed]
        with pytest.raises(UsageError, match=r'is no run directory .*did you mean "x.run.zip"'):
            run_folder.read_run(packed.parent / "x.run.zi")

    def test_a_changed_archive_is_read_anew(self, run: Path) -> None:
        packed = pack.pack(run)
        assert run_folder.read_run(packed).suite == "trial"
        listed = (run / RUN_FILE).read_text()
        pack.put(packed, RUN_FILE, listed.replace('"trial"', '"other"'))
        assert run_folder.read_run(packed).suite == "other"


def member(name: str, content: bytes = b"x", mode: int = 0, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type, info.comment = mode << 16, method, content
    return info


@pytest.mark.filterwarnings("ignore:Duplicate name")
class TestStrangers:
    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ([member("../out.txt")], "is no plain relative path"),
            ([member("cells/../../out.txt")], "is no plain relative path"),
            ([member("/tmp/out.txt")], "is no plain relative path"),
            ([member("..\\out.txt")], "is no plain relative path"),
            ([member("a//b")], "is no plain relative path"),
            ([member("a/./b")], "is no plain relative path"),
            ([member("folder/")], "is no plain relative path"),
            ([member(".lock")], "is no plain relative path"),
            ([member("two\nlines\x1b[31m")], "is no plain relative path"),
            ([member("a"), member("a")], "is there twice"),
            ([member("a"), member("a/b")], "is a file and a folder"),
            ([member("Cells/x"), member("cells/y")], "'Cells' and 'cells' are one file on some disks"),
            ([member("A.txt"), member("a.txt")], "are one file on some disks"),
            ([member("e\u0301"), member("\u00e9")], "are one file on some disks"),
            ([member("a", b"", stat.S_IFBLK | 0o644)], "is no plain file"),
            ([member("n" * 256)], "is too long a name"),
            ([member("/".join([_LONG] * 9))], "is too long a name"),
            ([member("link", b"/etc/passwd", stat.S_IFLNK | 0o777)], "is no plain file"),
            ([member("pipe", b"", stat.S_IFIFO | 0o644)], "is no plain file"),
            ([member("a", method=zipfile.ZIP_LZMA)], "is compressed by another method"),
            ([member("a", method=zipfile.ZIP_BZIP2)], "is compressed by another method"),
            ([member("a", bytes(70 * 2**20))], "are more than so small an archive can hold"),
        ],
        ids=lambda value: value if isinstance(value, str) else ", ".join(repr(one.filename[:20]) for one in value),
    )  # fmt: skip
    def test_what_no_packed_run_holds_is_one_line(
        self, members: list[zipfile.ZipInfo], words: str, run: Path, tmp_path: Path
    ) -> None:
        file = pack.pack(run)
        with zipfile.ZipFile(file, "a") as packed:
            for info in members:
                content, fresh = info.comment, member(info.filename, b"", info.external_attr >> 16, info.compress_type)
                packed.writestr(fresh, content)
        self.refused(file, words, tmp_path)

    def refused(self, file: Path, words: str, tmp_path: Path) -> None:
        """By readers and by unpack; nothing is written anywhere."""
        before = sorted(tmp_path.rglob("*"))
        for arguments in (["report"], ["unpack", "--out", str(tmp_path / "x" / "y")], ["merge", "--out", "z"]):
            with pytest.raises(SystemExit) as code:
                cli.main([*arguments, str(file)])
            assert code.value.code == 2
        with pytest.raises(UsageError, match=words) as error:
            pack.unpack(file, tmp_path / "x" / "y")
        assert "\n" not in str(error.value)
        assert str(error.value).isprintable()
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_length_that_is_a_lie_is_damage(self, run: Path, tmp_path: Path) -> None:
        """A member that says it is small is never decompressed further than it says."""
        file = tmp_path / "bomb.run.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("run.json", bytes(2**20))
        data = file.read_bytes()
        file.write_bytes(data.replace(struct.pack("<L", 2**20), struct.pack("<L", 10)))
        with pytest.raises(UsageError, match=r"run\.json is damaged: Bad CRC-32"):
            pack.unpack(file, tmp_path / "x")
        assert not (tmp_path / "x").exists()

    def test_an_encrypted_member_is_refused(self, run: Path, tmp_path: Path) -> None:
        file = pack.pack(run)
        data = bytearray(file.read_bytes())
        data[data.index(b"PK\x01\x02") + 8] |= 1  # the flags of the first entry in the list of files
        file.write_bytes(data)
        self.refused(file, "is encrypted", tmp_path)

    def test_no_archive_at_all(self, tmp_path: Path) -> None:
        file = tmp_path / "x.run.zip"
        for content in (b"", b"not a zip", b"PK\x05\x06", b"PK\x03\x04" + bytes(60)):
            file.write_bytes(content)
            self.refused(file, "is no archive of a run: File is not a zip file", tmp_path)
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("hello.txt", "hello")
        with pytest.raises(UsageError, match="is no run directory"):
            run_folder.read_run(file)


@pytest.fixture(scope="module")
def packed_bytes(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, bytes]]:
    """An archive, and the files in it."""
    made = Made(tmp_path_factory.mktemp("packed") / "trial")
    made.cell("zero-shot", [1, 0, 1])
    folder = made.done()
    return pack.pack(folder).read_bytes(), contents(folder)


@given(data=st.data())
def test_a_damaged_archive_is_refused_or_whole(
    data: st.DataObject, packed_bytes: tuple[bytes, dict[str, bytes]]
) -> None:
    """Cut off or with other bytes anywhere: one line, or the very files; and nothing outside the new folder."""
    whole, files = packed_bytes
    cut = data.draw(st.integers(0, len(whole)), label="cut")
    damaged = bytearray(whole[:cut] if data.draw(st.booleans(), label="cut it") else whole)
    for _ in range(data.draw(st.integers(0, 3), label="flips")):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as place:
        file, out = Path(place, "a.run.zip"), Path(place, "out")
        file.write_bytes(damaged)
        said = ""
        try:
            pack.unpack(file, out)
        except UsageError as error:
            said = str(error)
        assert said.isprintable()
        assert {path.name for path in Path(place).iterdir()} == {file.name} | ({out.name} if not said else set())
        if not said:
            assert sorted(contents(out).values()) == sorted(files.values())  # a name may be another one


@pytest.mark.parametrize("field", ["extra", "comment"])
def test_a_length_that_swallows_the_files_behind_it_is_seen(
    field: str, tmp_path: Path, packed_bytes: tuple[bytes, dict[str, bytes]]
) -> None:
    """The second byte of a length in an entry of the list of files."""
    whole, _ = packed_bytes
    damaged, first = bytearray(whole), whole.index(b"PK\1\2")
    damaged[first + {"extra": 31, "comment": 33}[field]] = 1
    file = tmp_path / "a.run.zip"
    file.write_bytes(damaged)
    with pytest.raises(UsageError, match="is no archive of a run"):
        pack.unpack(file, tmp_path / "out")


def test_a_size_of_nothing_is_no_empty_file(tmp_path: Path, packed_bytes: tuple[bytes, dict[str, bytes]]) -> None:
    whole, _ = packed_bytes
    damaged, last = bytearray(whole), whole.rindex(b"PK\1\2")
    damaged[last + 24 : last + 28] = bytes(4)
    file = tmp_path / "a.run.zip"
    file.write_bytes(damaged)
    with pytest.raises(UsageError, match="is damaged"):
        pack.unpack(file, tmp_path / "out")


def test_paths_are_read_as_in_a_folder(run: Path) -> None:
    """Both kinds of a run's files answer alike, also of what is not there."""
    folder, packed = run, archive.files_of(pack.pack(run))
    assert archive.files_of(folder) is folder
    for name in ("run.json", "cells", "none", "cells/none"):
        one, other = folder / name, packed / name
        assert (one.name, one.is_file(), one.is_dir()) == (other.name, other.is_file(), other.is_dir())
    assert sorted(path.name for path in packed.iterdir()) == sorted(path.name for path in folder.iterdir())
    assert (packed / "suite.yaml").read_text("utf-8") == (folder / "suite.yaml").read_text("utf-8")
    for missing in (folder / "none", packed / "none"):
        with pytest.raises(FileNotFoundError):
            missing.read_bytes()
