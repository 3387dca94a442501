"""Pictures of a task: read with the right pixels or refused by name, every problem at once, and only when needed."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

import tasks
from bench.authoring.check import report
from bench.core.errors import TaskError
from bench.core.picture import PictureError, pixels, size_of

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def flat(colour: tuple[int, ...], mode: str = "RGB", size: tuple[int, int] = (4, 4)) -> Image.Image:
    return Image.new(mode, size, colour)


def at(data: bytes, place: tuple[int, int] = (0, 0)) -> object:
    return pixels(data).getpixel(place)


def turned() -> bytes:
    """Red beside blue, which EXIF says is to be turned by 90 degrees clockwise: red above blue."""
    picture = flat(RED, size=(2, 1))
    picture.putpixel((1, 0), BLUE)
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture, exif=exif)


def palette() -> bytes:
    """Two entries: the first is transparent, the second blue."""
    picture = Image.new("P", (2, 1))
    picture.putpalette([*RED, *BLUE])
    picture.putpixel((1, 0), 1)
    return saved(picture, transparency=0)


def sixteen(*values: int) -> bytes:
    return saved(Image.fromarray(np.array([values], dtype=np.uint16)))


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that claims side × side pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def animated() -> bytes:
    return saved(flat(RED), "GIF", save_all=True, append_images=[flat(BLUE)])


class TestPixels:
    def test_exif_turns_the_picture(self) -> None:
        assert pixels(turned()).size == (1, 2)
        assert [at(turned(), (0, row)) for row in (0, 1)] == [RED, BLUE]

    def test_what_is_transparent_stands_on_white(self) -> None:
        assert [at(palette(), (column, 0)) for column in (0, 1)] == [WHITE, BLUE]
        assert at(saved(flat((255, 0, 0, 128), "RGBA"))) == (255, 127, 127)  # 255 × 128/255 + 255 × 127/255 of red
        assert at(saved(flat((0, 0), "LA"))) == WHITE

    def test_sixteen_bits_are_scaled(self) -> None:
        data = sixteen(0, 257, 32896, 65535)  # 257 = 65535 / 255
        assert [at(data, (column, 0)) for column in range(4)] == [(0, 0, 0), (1, 1, 1), (128, 128, 128), WHITE]

    @pytest.mark.parametrize(
        ("inks", "colour"), [((0, 0, 0, 0), WHITE), ((0, 0, 0, 255), (0, 0, 0)), ((255, 0, 0, 0), (0, 255, 255))]
    )
    def test_inks_become_light(self, inks: tuple[int, ...], colour: tuple[int, ...]) -> None:
        assert at(saved(flat(inks, "CMYK"), "TIFF")) == colour
        assert at(saved(flat(inks, "CMYK", (16, 16)), "JPEG", quality=100)) == pytest.approx(colour, abs=2)

    def test_grey_and_one_bit(self) -> None:
        assert at(saved(Image.new("L", (1, 1), 77))) == (77, 77, 77)
        assert at(saved(Image.new("1", (1, 1), 1))) == WHITE


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "drawing": (lambda: b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "is a drawing"),
    "bomb": (lambda: bomb(60_000), "decompression bomb"),
    "huge": (lambda: bomb(7_000), "has 7,000 × 7,000 pixels, more than 40 million"),
    "animated": (animated, r"is animated or has several pages \(2\)"),
    "text": (lambda: b"no picture at all", "is no picture that is read"),
    "empty": (lambda: b"", "is no picture that is read"),
    "real": (lambda: saved(Image.new("F", (2, 2), 0.5), "TIFF"), "floating-point numbers"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_refused_by_its_header(kind: str) -> None:
    make, says = REFUSED[kind]
    with pytest.raises(PictureError, match=says):
        size_of(make())


def test_damage_behind_the_header_is_found_when_pixels_are_read() -> None:
    noise = Image.fromarray(np.random.RandomState(0).randint(0, 256, (64, 64, 3), dtype=np.uint8))
    cut = saved(noise)[:2000]
    assert size_of(cut) == (64, 64)
    with pytest.raises(PictureError, match="is damaged"):
        pixels(cut)


def write_task(folder: Path, rows: list[tuple[str, str]], **keys: object) -> Path:
    """A task whose table names (file, label)."""
    folder.mkdir(exist_ok=True)
    table = "".join(f"{file},{label}\n" for file, label in rows)
    (folder / "table.csv").write_text(f"file,label\n{table}")
    splits = {"train": {"path": "table.csv"}, "test": {"from": "train", "size": 2}}
    spec = {"name": "shapes", "kind": "choice", "image": "file", "answer": "label", "splits": splits, **keys}
    (folder / "task.yaml").write_text(json.dumps(spec))
    return folder


def colours(folder: Path, count: int) -> list[tuple[str, str]]:
    """So many files, each of a colour of its own, in turns `warm` and `cold`."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(saved(flat((number % 256, number // 256, 7))))
    return [(f"{number}.png", ("warm", "cold")[number % 2]) for number in range(count)]


def test_a_table_beside_its_pictures(tmp_path: Path) -> None:
    task = tasks.load(write_task(tmp_path, colours(tmp_path, 8)))
    assert (len(task.train), len(task.test), task.picture_field) == (6, 2, "file")
    by_name = {e.picture.name: e for e in (*task.train, *task.test) if e.picture}
    assert by_name.keys() == {f"{number}.png" for number in range(8)}
    picture = by_name["3.png"].picture
    assert picture is not None
    assert by_name["3.png"].references == ("cold",)
    assert at(picture.read()) == (3, 0, 7)


def test_the_bytes_decide_what_a_picture_is_not_its_name(tmp_path: Path) -> None:
    first = tasks.load(write_task(tmp_path, colours(tmp_path, 8)))
    for number in range(8):
        (tmp_path / f"{number}.png").rename(tmp_path / f"again-{number}.png")
    rows = [(f"again-{number}.png", ("warm", "cold")[number % 2]) for number in range(8)]
    assert tasks.load(write_task(tmp_path, rows)).digest == first.digest
    (tmp_path / "again-0.png").write_bytes(saved(flat((99, 99, 99))))
    assert tasks.load(write_task(tmp_path, rows)).digest != first.digest


def test_one_picture_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    colours(tmp_path, 3)
    (tmp_path / "copy.png").write_bytes((tmp_path / "0.png").read_bytes())
    (tmp_path / "test.csv").write_text("file,label\ncopy.png,warm\n")
    splits = {"train": "table.csv", "test": "test.csv"}
    write_task(tmp_path, [("0.png", "warm"), ("1.png", "cold")], splits=splits)
    with pytest.raises(TaskError, match="1 test item also stands in train"):
        tasks.load(tmp_path)


def test_bytes_in_parquet(tmp_path: Path) -> None:
    cells = [{"bytes": saved(flat((n, 0, 0))), "path": f"a/{n}.png" if n else None} for n in range(4)]
    table = {"picture": cells, "label": ["warm", "cold"] * 2}
    parquet.write_table(pa.table(table), tmp_path / "rows.parquet")
    splits = {"train": "rows.parquet", "test": {"from": "train", "size": 1}}
    spec = {"name": "shapes", "kind": "choice", "image": "picture", "answer": "label", "splits": splits}
    (tmp_path / "task.yaml").write_text(json.dumps(spec))
    task = tasks.load(tmp_path)
    pictures = [e.picture for e in (*task.train, *task.test) if e.picture]
    assert {p.name for p in pictures} == {"rows.parquet:1", "a/1.png", "a/2.png", "a/3.png"}
    assert sorted(str(at(p.read())) for p in pictures) == [f"({n}, 0, 0)" for n in range(4)]


def test_every_bad_picture_is_named_at_once(tmp_path: Path) -> None:
    rows = colours(tmp_path, 4)
    for name in ("drawing", "bomb", "animated"):
        (tmp_path / f"{name}.png").write_bytes(REFUSED[name][0]())
        rows.append((f"{name}.png", "warm"))
    (tmp_path / "cut.png").write_bytes((tmp_path / "1.png").read_bytes()[:-30])
    folder = write_task(tmp_path, [*rows, ("cut.png", "cold"), ("gone.png", "cold"), ("", "warm")])
    _, problems = report(folder)
    assert len(problems) == 6
    for said in ("drawing.png", "bomb.png", "animated.png", "cut.png", "gone.png", 'column "file" is empty'):
        assert sum(said in line for line in problems) == 1
    assert problems[0].startswith(f"{folder.name}/table.csv:5: picture ")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"template": "Name it: {file}"}, "is all that a model of pictures reads"),
        ({"kind": "text"}, "image is for kind: choice"),
        ({"instruction": "Look."}, "instruction is for tasks of texts"),
        ({"image": "fil"}, 'no column "fil" (did you mean "file"?)'),
    ],
)
def test_keys_that_do_not_go_with_pictures(tmp_path: Path, keys: dict[str, object], says: str) -> None:
    with pytest.raises(TaskError) as caught:
        tasks.load(write_task(tmp_path, colours(tmp_path, 4), **keys))
    assert any(says in line for line in caught.value.problems)


@pytest.mark.slow
def test_ten_thousand_pictures_are_not_kept(tmp_path: Path) -> None:
    """What a task holds of a picture does not grow with the picture: here 200 MB of files."""
    rows = [(f"{number}.ppm", ("warm", "cold")[number % 2]) for number in range(10_000)]
    ground = np.full((83, 80, 3), 200, dtype=np.uint8)
    for number, (name, _) in enumerate(rows):
        ground[0, 0] = number % 256, number // 256, 0
        (tmp_path / name).write_bytes(saved(Image.fromarray(ground), "PPM"))
    folder = write_task(tmp_path, rows)
    tracemalloc.start()
    task = tasks.load(folder)
    held, peak = tracemalloc.get_traced_memory()
    for example in task.train[:200]:
        assert example.picture is not None
        pixels(example.picture.read())
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6
    assert after - held < 1e6
