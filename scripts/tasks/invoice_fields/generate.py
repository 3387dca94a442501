"""Writes the rows of invoice-fields: `python -m scripts.tasks.invoice_fields.generate [OUT_FOLDER]`.

A row is a layout whose slots are filled with one supplier, one set of dates that follow each other and amounts that add
up. What the layout shows decides which fields have a value; noise then goes over the text, never over the answer.

Slots of the answer: {sup} {num} {date} {total}. Traps are
dates: {odate} ordered, {ddate} delivered, {ndate} and {pdate} soon after, {due}, {sent} the mail's own;
amounts: {goods} {car} {net} {vat} {unit} {parts} {labour}, {dep} and {bal} deposit and balance, {early} if paid early,
{wrong} an estimate or a slip;
numbers: {po} {cust} {dn} {old} {phone} {vatno}.
{dny} is {date} without its year; the others are words.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from scripts.tasks.company import facts
from scripts.tasks.invoice_fields.invoice_text import DATES, MONEY, SLOT, Layout, Paper, render

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "invoice-fields"
SIZES = {"train": 600, "validation": 120, "test": 300}
MAX_WORDS = 60
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS = ("po", "cust", "dn", "old", "phone", "vatno")
_PIECES = (4, 6, 8, 10, 12, 15, 20, 24, 25, 30, 36, 40, 50, 60, 100, 120, 200)
_ASCII = str.maketrans("ØÆÅ", "OAA")


def load() -> Any:
    """What invoices are made of: layouts, suppliers, ways of writing."""
    return yaml.safe_load((HERE / "bank.yaml").read_text(encoding="utf-8"))


def layouts(split: str) -> list[Layout]:
    """The layouts of a split, numbered in their order."""
    found: list[Layout] = []
    for key, texts in load()[f"layouts-{split}"].items():
        style, *tags = key.split()
        for text in texts:
            found.append(Layout(f"{split}-{style}-{len(found) + 1}", style, tuple(tags), text.strip()))
    return found


def main(out: Path) -> None:
    """Writes the three splits into `out`."""
    bank = load()
    out.mkdir(parents=True, exist_ok=True)
    for split, size in SIZES.items():
        rows = split_rows(split, size, bank)
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with (out / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)


def split_rows(split: str, size: int, bank: Mapping[str, Any]) -> list[dict[str, str]]:
    """`size` rows, each layout used equally often, in drawn order; no text stands twice."""
    rng = random.Random(f"invoice-fields {split}")
    known = layouts(split)
    rng.shuffle(known)
    chosen = [known[i % len(known)] for i in range(size)]
    rng.shuffle(chosen)
    seen: set[str] = set()
    rows = []
    for number, layout in enumerate(chosen, start=1):
        text, fields = draw(layout, split, bank, rng)
        while text in seen or len(text.split()) > MAX_WORDS:
            text, fields = draw(layout, split, bank, rng)
        seen.add(text)
        answer = json.dumps(fields, ensure_ascii=False)
        rows.append({"id": f"{split}-{number:04d}", "layout": layout.name, "text": text, "fields": answer})
    return rows


def draw(layout: Layout, split: str, bank: Mapping[str, Any], rng: random.Random) -> tuple[str, dict[str, str]]:
    """(text, fields) of one row."""
    template = _ALTERNATIVES.sub(lambda match: rng.choice(match[1].split("|")), layout.text)
    slots = set(SLOT.findall(template))
    paper = draw_paper(layout, template, split, bank, rng)
    while clashes(paper, slots):
        paper = draw_paper(layout, template, split, bank, rng)
    return render(template, layout, paper, split, bank, rng), fields_of(paper, slots)


def fields_of(paper: Paper, slots: set[str]) -> dict[str, str]:
    """The answer: the value of each field that the layout shows, empty where it shows none."""
    shows_money = bool(slots & {"cur", "code", "total", *MONEY})
    return {
        "supplier": paper.supplier if "sup" in slots else "",
        "number": paper.numbers["num"] if "num" in slots else "",
        "date": paper.dates["date"].isoformat() if slots & {"date", "dny"} else "",
        "total": f"{paper.pence['total'] / 100:.2f}" if slots & {"total", "total0"} else "",
        "currency": paper.currency if shows_money else "",
    }


def clashes(paper: Paper, slots: set[str]) -> bool:
    """Whether a trap shows the same value as a field, or a date without its year would need another one."""
    numbers = any(paper.numbers[name] == paper.numbers["num"] for name in _NUMBERS if name in slots)
    dates = any(paper.dates[name] == paper.dates["date"] for name in DATES if name in slots)
    shown = [name for name in MONEY if name in slots or f"{name}0" in slots]
    amounts = any(paper.pence[name] == paper.pence["total"] or not paper.pence[name] for name in shown)
    other_year = "dny" in slots and paper.dates["date"].year != paper.dates["sent"].year
    return numbers or dates or amounts or other_year


# What is true of a paper


def draw_paper(layout: Layout, template: str, split: str, bank: Mapping[str, Any], rng: random.Random) -> Paper:
    """A supplier with its numbers, dates in their order and amounts that add up, as `template` needs them."""
    slots = set(SLOT.findall(template))
    taxed = "vat" in template.lower() or bool(slots & {"net", "net0"})
    country = draw_country(layout.tags, taxed, bank, rng)
    currency: str = bank["countries"][country]["currency"]
    firms, formats = bank["suppliers"][split][country], bank["number_formats"][split]
    supplier: str = rng.choice(firms)
    fmt: str = formats[(firms.index(supplier) + len(country + firms[0])) % len(formats)]
    dates = draw_dates(rng)
    pieces = rng.choice(_PIECES)
    return Paper(
        supplier,
        country,
        currency,
        draw_numbers(supplier, dates["date"].year, fmt, bank, rng),
        dates,
        draw_pence(slots, taxed, currency, pieces, rng),
        {**draw_words(split, country, bank, rng), "qty": str(pieces)},
    )


def draw_country(tags: Sequence[str], taxed: bool, bank: Mapping[str, Any], rng: random.Random) -> str:
    """A country's code: British where VAT is shown, since a foreign supplier charges none across the border."""
    if taxed:
        return "GB"
    codes = ["DK", "NO"] if "kr" in tags else list(tags or bank["countries"])
    return rng.choice([code for code in codes for _ in range(bank["countries"][code]["weight"])])


def draw_dates(rng: random.Random) -> dict[str, date]:
    """The day of issue and the days around it."""
    day = date(2024, 1, 8) + timedelta(days=rng.randrange(710))
    after = {"ndate": (2, 9), "sent": (1, 4), "pdate": (5, 12)}
    dates = {name: day + timedelta(days=rng.randrange(*span)) for name, span in after.items()}
    delivered = day - timedelta(days=rng.randrange(1, 6))
    ordered = delivered - timedelta(days=rng.randrange(4, 30))
    due = day + timedelta(days=rng.choice([14, 21, 30, 30]))
    return {**dates, "date": day, "ddate": delivered, "odate": ordered, "due": due}


def draw_numbers(supplier: str, year: int, fmt: str, bank: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
    """The paper's number and the others about it; a supplier always writes its own in one way."""
    own = random.Random(f"invoice-fields {supplier}")  # not `rng`: the same firm in every row
    customer = fill_number(own.choice(bank["customer_formats"]), supplier, year, own)
    return {
        "num": fill_number(fmt, supplier, year, rng),
        "old": fill_number(fmt, supplier, year, rng),
        "dn": fill_number(rng.choice(bank["delivery_formats"]), supplier, year, rng),
        "cust": customer,
        "po": f"QM-{rng.randrange(20000, 69000)}",
        "phone": f"01632 960{rng.randrange(1000):03d}",  # numbers that are kept for fiction
        "vatno": f"GB 000 {rng.randrange(1000, 10000)} {rng.randrange(10, 100)}",  # none begins with 000
    }


def fill_number(fmt: str, supplier: str, year: int, rng: random.Random) -> str:
    """`fmt` with its signs (see bank.yaml) filled; no number begins with a nought."""
    initials = "".join(word[0] for word in supplier.split() if word != "&").translate(_ASCII)[:3]
    text = fmt.replace("%", initials).replace("YYYY", str(year)).replace("YY", f"{year % 100:02d}")
    text = re.sub("#", lambda _: str(rng.randrange(1, 10)), text, count=1)
    text = re.sub("#", lambda _: str(rng.randrange(10)), text)
    return re.sub("@", lambda _: rng.choice("ABCDEFGHKLMNPRSTUVWX"), text)


def draw_pence(slots: set[str], taxed: bool, currency: str, pieces: int, rng: random.Random) -> dict[str, int]:
    """Amounts in hundredths that add up to the total as the slots show them."""
    names = {slot.removesuffix("0") for slot in slots}
    scale = 8 if currency in ("DKK", "NOK") else 1
    pence = {"total": 0}
    while not 1500 * scale <= pence["total"] <= 600_000 * scale:
        unit = scale * rng.choice([100 * rng.randrange(1, 60), 50 * rng.randrange(1, 60), rng.randrange(45, 3000)])
        pence = {"unit": unit, "goods": unit * pieces}
        pence["car"] = scale * rng.choice([500, 800, 1200, 1450, 1800, 2250, 3500, 4000, 995])
        pence["parts"] = scale * rng.choice([100 * rng.randrange(12, 300), rng.randrange(1500, 20000)])
        pence["labour"] = scale * 50 * rng.randrange(60, 400)
        pence["net"] = pence["parts" if "machine" in names else "goods"]
        pence["net"] += sum(pence[name] for name in ("car", "labour") if name in names)
        pence["vat"] = (pence["net"] * 20 + 50) // 100 if taxed else 0
        pence["total"] = pence["net"] + pence["vat"]
    total = pence["total"]
    pence["dep"] = total * rng.choice([20, 25, 30, 40]) // 100 // 500 * 500
    pence["bal"] = total - pence["dep"]
    pence["early"] = (total * 98 + 50) // 100
    pence["wrong"] = total + scale * rng.choice([-1, 1]) * rng.choice([90, 400, 500, 1000])
    return pence


def draw_words(split: str, country: str, bank: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
    """Goods, people and places around the paper."""
    home = bank["countries"][country]
    staff = [name for name in facts()["people"] if name != "Philippa Noakes"]  # most mails are to her
    return {
        **{name: rng.choice(bank[name][split]) for name in ("machine", "work", "carrier", "person")},
        "item": rng.choice(rng.choice([bank["item"][split], products(split)])),
        "staff": rng.choice(staff),
        "place": rng.choice([*facts()["places"]["depots"], "the Mendery"]),
        "town": rng.choice(home["towns"]),
        "country": home["name"],
        "code": home["currency"],
        "cur": rng.choice(bank["currency_words"][home["currency"]]),
    }


def products(split: str) -> list[str]:
    """The shop's products that belong to a split, in the plural."""
    owners = ("train", "train", "train", "validation", "test")
    names = [name for name in facts()["products"] if not name.endswith(("knife", "oil"))]
    mine = (name for i, name in enumerate(names) if owners[i % len(owners)] == split)
    return [name if name.endswith("s") else f"{name}s" for name in mine]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
