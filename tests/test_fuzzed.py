"""Inputs that `scripts/fuzz` found readers to fail on, made small; and that its own judgements can fail."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bench.core.errors import DamagedError, IncompleteError, UsageError
from bench.core.json_text import parse, without_halves
from bench.core.measured import TokensUsed
from bench.gate import baseline
from bench.model import checkpoint
from bench.model.endpoint import EndpointSpec
from bench.model.fetch import Source, _take_out
from bench.served import wire
from bench.served.client import Client
from bench.served.kept_answers import Kept, KeptAnswers, Request
from bench.store.pack import pack
from bench.store.run_folder import read_run
from scripts.fuzz import mutate
from scripts.fuzz.child import outcome
from scripts.fuzz.readers import Reader, WrongError, check_message
from tasks.loader.documents import read_folder
from tasks.loader.problems import Problems
from tasks.loader.rows import list_of, read_table
from tests.gate.made import Made, simple
from tests.gate.test_gate_cli import ended

DEEP = 100_000
SAID = {"choices": [{"index": 0, "message": {"content": "half \ud800 of a pair"}}]}


@pytest.mark.parametrize("text", ["[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP, "9" * 10_000, "{"])
def test_no_json_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested|digits|Expecting"):
        parse(text)


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    assert without_halves("a\ud800b 🙂 é") == "a\ufffdb 🙂 é"


@pytest.mark.parametrize("name", ["run.json", "record.json", "predictions.jsonl"])
@pytest.mark.parametrize("command", ["report", "decide", "history", "gate"])
def test_a_file_that_nests_without_an_end_is_named(
    name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, run = (simple(tmp_path / each, [1.0, 0.0] * 10) for each in ("sound", "run"))
    [file] = [path for path in run.rglob("*") if path.name == name]
    file.write_text("[" * DEEP)
    of: dict[str, list[object]] = {"history": [sound, run], "gate": ["--baseline", sound, "--candidate", run]}
    given = of.get(command, [run])
    code, out, err = ended(capsys, command, *given)
    if command == "report" and name == "predictions.jsonl":
        return  # a report shows what the records say
    assert code == 4
    assert name in out + err


def test_text_of_a_parquet_file_that_is_not_utf8(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    offsets, data = pyarrow.array([0, 2], pyarrow.int32()).buffers()[1], pyarrow.py_buffer(b"\xff\xfe")
    column = pyarrow.Array.from_buffers(pyarrow.string(), 1, [None, offsets, data])
    parquet.write_table(pyarrow.table({"text": column}), tmp_path / "a.parquet")
    problems = Problems()
    assert read_table(tmp_path / "a.parquet", "a.parquet", problems) is None
    with pytest.raises(UsageError, match=r"a\.parquet: not a Parquet file"):
        problems.check()


def test_a_table_of_too_many_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{f"k{i}": 1 for i in range(50_000)}, *({"text": f"it is {i}", "label": "ab"[i % 2]} for i in range(20))]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = ended(capsys, "init", tmp_path / "a.jsonl", "--out", tmp_path / "a")
    assert (code, err.count("\n")) == (2, 1)
    assert "50,002 columns, more than 2,000" in err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>a</p><![XDATA[y]]>", None),
        ("<div>x" * 300, "x"),
        ("<p>a  b<pre>c  d<b>e  f</b></pre>g  h", "a b\n\nc  de  f\n\ng h"),
    ],
)
def test_html_that_is_odd(text: str, expected: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(text)
    found, notes = read_folder(tmp_path, "docs", Problems(), 1.0, [str(tmp_path)])
    assert [each.text.split("\n\n")[0] if expected == "x" else each.text for each in found] == (
        [] if expected is None else [expected]
    )
    assert bool(notes) == (expected is None)


def test_a_list_in_a_cell_that_nests_without_an_end() -> None:
    with pytest.raises(TypeError, match="no list"):
        list_of("[" * DEEP)


@pytest.mark.parametrize("named", [float("nan"), 7, True, {"a": 1}, "LlamaForCausalLM"])
def test_architectures_that_are_no_list(named: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": named}))
    assert checkpoint.kind(tmp_path) == "causal"


@pytest.mark.parametrize("name", [[], [{}], {}, 7, None])
def test_a_model_type_that_is_no_text(name: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": name, "architectures": ["BertModel"]}))
    assert checkpoint.kind(tmp_path) == "causal"


def packed(file: Path) -> bytearray:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.gguf", b"GGUF" + bytes(996))
    return bytearray(file.read_bytes())


def longer(content: bytearray) -> None:
    """The list of files begins where the file does not."""
    at = content.rfind(b"PK\5\6") + 16
    content[at : at + 4] = (2**31).to_bytes(4, "little")


def no_block(content: bytearray) -> None:
    """The first block of the compressed data is of no kind that there is."""
    content[30 + len("a.gguf")] = 0b111


def encrypted(content: bytearray) -> None:
    content[content.find(b"PK\1\2") + 8] |= 1
    content[6] |= 1


@pytest.mark.parametrize("change", [longer, no_block, encrypted, lambda content: content.clear()])
def test_a_wheel_that_is_damaged(change: Callable[[bytearray], None], tmp_path: Path) -> None:
    content = packed(tmp_path / "a.whl")
    change(content)
    (tmp_path / "a.whl").write_bytes(content)
    source = Source("a", "1", "0" * 64, 1000, len(content), "Apache-2.0", "zeros")
    with pytest.raises(UsageError, match=r"a\.whl is no wheel, or a damaged one"):
        _take_out(tmp_path / "a.whl", source, tmp_path, lambda what, done, total: None)


class Scripted(Client):
    """A client that is sent `content`, whatever it asks."""

    content = b""

    def _settings(self) -> dict[str, Any]:
        answer = httpx2.Response(200, content=self.content)
        return {**super()._settings(), "transport": httpx2.MockTransport(lambda request: answer)}


@pytest.fixture
def client(tmp_path: Path) -> Scripted:
    return Scripted(EndpointSpec(base_url="http://localhost/v1", model="m", retries=0), KeptAnswers(tmp_path / "kept"))


def test_an_answer_that_nests_without_an_end_is_a_failure(client: Scripted) -> None:
    client.content = b"[" * DEEP
    [reply] = client.ask([Request("/chat/completions", {})], tries=0)
    assert not reply.ok
    assert "nested too deep" in reply.message
    assert client.look("/models") == {}


def test_an_answer_with_half_of_a_surrogate_pair_is_kept_and_read(client: Scripted) -> None:
    client.content = json.dumps(SAID).encode()
    [reply] = client.ask([Request("/chat/completions", {})], tries=0)
    assert wire.written(reply.content).text == "half \ufffd of a pair"
    client.content = b"it is not asked again"
    [again] = client.ask([Request("/chat/completions", {})], tries=0)
    assert again.content == SAID


def test_an_answer_inside_an_answer_that_nests_without_an_end() -> None:
    nested = {"choices": [{"message": {"content": "[" * DEEP}}]}
    assert wire.enumerated(nested, ("red", "blue")).failure


@pytest.mark.parametrize(
    "change",
    [{"content": []}, {"usage": ["x"]}, {"usage": [-1]}, {"usage": [1] * 9}, {"key": ["k"]}, {"seconds": None}],
)
def test_lines_of_kept_answers_that_are_none_are_left_out(change: dict[str, Any], tmp_path: Path) -> None:
    async def keep(answers: KeptAnswers) -> None:
        await answers.keep("k", Kept({"a": 1}, 0.5, TokensUsed(1, 2)))

    answers = KeptAnswers(tmp_path / "kept")
    asyncio.run(keep(answers))
    answers.close()
    line = json.loads((tmp_path / "kept").read_text())
    with (tmp_path / "kept").open("ab") as stream:
        stream.write(json.dumps(line | change).encode() + b"\n" + b"[" * DEEP + b"\n")
    read = KeptAnswers(tmp_path / "kept")
    assert (len(read), read.spent.prompt, read.get("k")) == (1, 2, Kept({"a": 1}, 0.5, TokensUsed(1, 2)))
    read.close()


def test_a_baseline_that_holds_more_than_was_accepted(tmp_path: Path) -> None:
    accepted = baseline.accept(simple(tmp_path / "run", [1.0, 0.0] * 10), "main", tmp_path / "baselines")
    content = json.loads((accepted / "baseline.json").read_text())
    [name] = [name for name in content["files"] if name.endswith("record.json")]
    del content["files"][name]
    (accepted / "baseline.json").write_text(json.dumps(content))
    with pytest.raises(IncompleteError, match=r"record\.json is none of the files that were accepted"):
        baseline.refuse_changed(accepted)


@pytest.mark.parametrize("line", ["{", "[]", '{"output": 7}', "[" * DEEP])
def test_packing_without_texts_names_a_damaged_file(line: str, tmp_path: Path) -> None:
    run = simple(tmp_path / "run", [1.0])
    [file] = run.glob("cells/*/predictions.jsonl")
    file.write_text(line + "\n")
    with pytest.raises(DamagedError, match=r"predictions\.jsonl is not what adaptbench wrote"):
        pack(run, without_texts=True)
    assert not (tmp_path / "run.run.zip").exists()


def test_a_score_that_is_not_that_of_the_predictions_stops_the_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a metric, too, that the policy does not look at: one of the two files is not what was measured."""
    sound, run = tmp_path / "sound", tmp_path / "run"
    made = Made(sound)
    made.cell("zero-shot", [1.0, 0.0] * 10)
    made.done()
    [record], [lines] = sound.glob("cells/*/record.json"), sound.glob("cells/*/predictions.jsonl")
    content = json.loads(record.read_text())
    content["scores"]["macro_f1"] = {**content["scores"]["accuracy"]}
    record.write_text(json.dumps(content))
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    for row in rows:
        row["metrics"]["macro_f1"] = row["metrics"]["accuracy"]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.copytree(sound, run)
    assert ended(capsys, "gate", "--baseline", sound, "--candidate", run)[0] in (0, 3)
    [lines] = run.glob("cells/*/predictions.jsonl")
    rows[0]["metrics"]["macro_f1"] = 0.25
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = ended(capsys, "gate", "--baseline", sound, "--candidate", run)
    assert code == 4
    assert "macro_f1" in out + err


def judged(read: Callable[[Path, int], object], folder: Path) -> tuple[str, str]:
    return outcome(Reader("any", lambda at: None, (), read), folder, 0)


def raising(error: BaseException) -> Callable[[Path, int], object]:
    def read(folder: Path, number: int) -> object:
        raise error

    return read


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="memory is measured on Linux")
def test_what_the_fuzzer_takes_for_a_defect(tmp_path: Path) -> None:
    assert judged(lambda folder, number: 0, tmp_path) == ("read", "")
    assert judged(raising(UsageError("a line")), tmp_path) == ("refused", "")
    assert judged(raising(UsageError("a\x1b[31m line")), tmp_path)[0] == "defect"
    assert judged(raising(KeyError("a")), tmp_path)[1].startswith("KeyError")
    assert judged(raising(WrongError("wrong")), tmp_path) == ("defect", "wrong")
    assert judged(lambda folder, number: bytearray(2**30 + 2**24)[:1], tmp_path)[1].endswith("MiB")
    with pytest.raises(WrongError):
        check_message("x" * 5000, tmp_path)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.yaml", "a.csv", "a.bin"])
def test_every_input_follows_from_its_seed(name: str) -> None:
    import random

    content = b'{"a": [1, 2, {"b": "c"}], "d": null}\n'
    one, other = ([mutate.damaged(name, content, random.Random(f"{n}")) for n in range(200)] for _ in range(2))
    assert one == other
    assert len({data for data, _ in one}) > 100


def test_a_run_that_is_not_damaged_is_read(tmp_path: Path) -> None:
    assert len(read_run(simple(tmp_path / "run", [1.0])).records) == 1
