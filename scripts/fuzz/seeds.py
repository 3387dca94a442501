"""Valid inputs, small, of which the damaged ones are made."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import yaml

from bench.store.pack import unpack
from scripts.kill_runs import ROOT, write_suite

_RUN = ROOT / "results" / "smollm2-quick.run.zip"
_ITEMS = 12
_SUITE = {
    "name": "s", "models": [{"path": "tiny-random", "name": "q", "dtype": "float32"}], "tasks": ["reading"],
    "methods": ["zero-shot", {"few-shot": {"k": [1, 2], "label": "L"}}, {"lora+rag": {"rank": 2}}, "full"],
    "seeds": [0], "prices": {"gpu_hour": {"L4": 1.0}, "cpu_core_hour": 0.1}, "engine": {"device": "cpu"},
    "decide": {"months": 3, "require": {"quality": 0.5}}, "defaults": {"epochs": 1}, "train_sizes": [8, "all"],
}  # fmt: skip
_POLICY = {
    "alpha": 0.05, "rename": {"methods": {"a": "b"}}, "quality": [{"metric": "primary", "margin": "2%"}],
    "retention": [{"probe": "w", "margin": 0.1}], "cost": [{"counter": "steps", "limit": "10%"}],
}  # fmt: skip
_CLUSTER = {
    "slurm": {"at_once": 4, "gpus": 1, "cpus": 2, "partition": "p", "time": 60, "setup": ["true"],
              "flags": {"qos": "x"}},
    "ray": {"address": "auto", "resources": {"a": 1.0}}, "other_gpus": {"L4": {"memory_gib": 24, "per_hour": 1}},
}  # fmt: skip


def suite(folder: Path) -> None:
    (folder / "suite.yaml").write_text(yaml.safe_dump(_SUITE))


def policy(folder: Path) -> None:
    (folder / "gate.yaml").write_text(yaml.safe_dump(_POLICY))


def cluster(folder: Path) -> None:
    (folder / "cluster.yaml").write_text(yaml.safe_dump(_CLUSTER))


def task(folder: Path, ending: str = ".jsonl") -> None:
    """A task of 30 items in each split; its training items in a file of this ending."""
    write_suite(folder)
    for extra in (*folder.glob("paint[12]"), *folder.glob("*.yaml")):
        shutil.rmtree(extra) if extra.is_dir() else extra.unlink()
    place = folder / "paint0"
    spec = yaml.safe_load((place / "task.yaml").read_text())
    spec |= {"metrics": ["accuracy"], "choices": ["red", "green", "blue"],
             "counterfactuals": {"g": {"swap": [["red", "green"]]}}}  # fmt: skip
    rows = [json.loads(line) for line in (place / "train.jsonl").read_text().splitlines()]
    if ending != ".jsonl":
        spec["splits"]["train"] = f"train{ending}"
        (place / f"train{ending}").write_bytes(_table(rows, ending))
    (place / "task.yaml").write_text(yaml.safe_dump(spec))


def _table(rows: list[dict[str, Any]], ending: str) -> bytes:
    if ending == ".csv":
        return "".join(",".join(map(str, row)) + "\n" for row in ([*rows[0]], *(row.values() for row in rows))).encode()
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([{**row, "more": [row["id"]], "odd": {"a": 1.5}} for row in rows])
    sink = io.BytesIO()
    parquet.write_table(table, sink, row_group_size=11)
    return sink.getvalue()


def documents(folder: Path) -> None:
    (place := folder / "docs").mkdir()
    (place / "a.txt").write_text("A plain text of a line.\nAnd another.\n")
    (place / "b.md").write_text("# A heading\n\nText, *and* [more](x).\n")
    (place / "c.html").write_text(
        "<!DOCTYPE html><html><head><title>T</title><style>p{}</style></head><body><h1>One</h1><p>Two <b>three</b></p>"
        "<table><tr><td>4</td></tr></table><pre>a  b</pre><!-- x --><![CDATA[y]]><br/></body></html>"
    )


def pdf(folder: Path) -> None:
    """Two pages of text, one in a compressed stream."""
    (place := folder / "docs").mkdir()
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    font = DictionaryObject({
        NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    })  # fmt: skip
    for number in range(2):
        page = writer.add_blank_page(200, 200)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 100 Td (Page {number} has text) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream.flate_encode() if number else stream)
        page[NameObject("/Resources")] = DictionaryObject({
            NameObject("/Font"): DictionaryObject({NameObject("/F1"): writer._add_object(font)})
        })  # fmt: skip
    with (place / "a.pdf").open("wb") as file:
        writer.write(file)


def pictures(folder: Path) -> None:
    from PIL import Image

    picture = Image.radial_gradient("L").resize((16, 12)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    for ending in ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm"):
        more: dict[str, Any] = {"exif": exif} if ending in ("png", "jpeg", "webp") else {}
        picture.save(folder / f"a.{ending}", **more)
    picture.convert("P").save(folder / "palette.png", transparency=0)
    Image.radial_gradient("L").resize((9, 9)).convert("I;16").save(folder / "deep.png")


def run(folder: Path) -> None:
    """`sound` and `run`: a few cells of a real run, with fewer items; `baseline`: `sound`, accepted."""
    from bench.gate import baseline

    whole = unpack(_RUN, folder / "sound")
    listing = json.loads((whole / "run.json").read_text())
    listing["cells"] = [cell for cell in listing["cells"] if cell["task"] in ("product-sheets", "world-facts")]
    listing["cells"] = [cell for cell in listing["cells"] if cell["method"] not in ("few-shot", "lora+rag")]
    keys = {cell["key"][:12] for cell in listing["cells"]}
    (whole / "run.json").write_text(json.dumps(listing))
    for cell in sorted((whole / "cells").iterdir()):
        if cell.name.rpartition("-")[2] in keys:
            _fewer(cell)
        else:
            shutil.rmtree(cell)
    shutil.copytree(whole, folder / "run")
    baseline.accept(whole, "baseline", folder)


def _fewer(cell: Path) -> None:
    """The first items of a cell, and the scores that are means over them."""
    record = json.loads((cell / "record.json").read_text())
    for file in cell.glob("*.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()[:_ITEMS]]
        probe = file.stem.removeprefix("probe-")
        scores = record["scores"] if file.stem == "predictions" else record["probes"][probe]
        for line in lines:
            line.pop("counts", None)
        for name in list(scores):
            if name in lines[0]["metrics"]:
                scores[name]["value"] = sum(line["metrics"][name] for line in lines) / len(lines)
            else:
                del scores[name]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    lines = [json.loads(line) for line in (cell / "predictions.jsonl").read_text().splitlines()]
    record["tokens"] |= {name: sum(line.get(name, 0) for line in lines) for name in record["tokens"]}
    record["items"] = _ITEMS
    (cell / "record.json").write_text(json.dumps(record))


def archive(folder: Path) -> None:
    """`a.run.zip`: a real run, packed."""
    from bench.store.pack import pack

    (place := folder / "made").mkdir()
    run(place)
    pack(place / "run", folder / "a.run.zip")
    shutil.rmtree(place)


def checkpoint(folder: Path) -> None:
    from bench.model import tiny_random

    tiny_random.build(folder / "model")


def gguf(folder: Path) -> None:
    from scripts import gguf_file

    checkpoint(folder)
    gguf_file.write(folder / "a.gguf", folder / "model")
    shutil.rmtree(folder / "model")


def wheel(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.whl", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("tiny/a.gguf", b"GGUF" + bytes(996))
        packed.writestr("tiny/__init__.py", "")


def replies(folder: Path) -> None:
    """What endpoints answer: a conversation, a text, an echo, two decisions; and answers that were kept."""
    usage = {"prompt_tokens": 20, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is red."}}
    shares = [{"value": "red", "probability": 0.75}, {"value": "blue", "probability": 0.25}]
    logs = {"tokens": ["It", " is", " red"], "text_offset": [0, 2, 5], "token_logprobs": [None, -0.5, -1.5]}
    echo = {"index": 0, "text": "It is red", "logprobs": logs}
    contents: dict[str, Any] = {
        "chat": {"choices": [message]},
        "schema": {"choices": [{**message, "message": {"content": '{"answer": "red"}'}}]},
        "text": {"choices": [{"index": 0, "text": "red"}]},
        "echo": {"choices": [echo, {**echo, "index": 1}]},
        "decisions": {"answers": [{"type": "choice", "choice": "red", "probabilities": shares}]},
        "systemone": {"answers": {"answer": {"type": "choice", "probabilities": {"red": 0.7, "blue": 0.3}}}},
        "models": {"data": [{"id": "m", "max_model_len": 1000}]},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps({"model": "m", "usage": usage, **content}))
    kept = {"key": "k" * 64, "usage": [1, 20, 2, 4, 0], "seconds": 0.5, "content": contents["chat"]}
    (folder / "kept.jsonl").write_text("".join(json.dumps({**kept, "key": f"{i}" * 64}) + "\n" for i in range(3)))
