"""Made-up records for the demo: what real exports look like, with a fixed seed. No record is a real place or firm."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

LOCATIONS = 20_000
QUESTIONS = 1_000
FIRMS = 2_000
PERSONS = 400
ASKED = 25
STATUSES = ["geldig", "geldig", "Geldig ", "geschorst", "verlopen"]
STREETS = ["Kanaalweg", "Café de Brug", "Müllerstraat", "'s-Gravendreef", "Zuiderpark", "Wałęsalaan"]


def bag_ids(rng: random.Random, count: int) -> list[str]:
    """Distinct BAG numbers of verblijfsobjecten in municipality 0344."""
    return [f"034401{number:010d}" for number in rng.sample(range(10_000, 5_000_000), count)]


def messy_bag(rng: random.Random, bag: str) -> str:
    """A BAG number as exports write it."""
    return rng.choice([bag, bag, bag, f" {bag} ", f"{bag[:4]} {bag[4:6]} {bag[6:]}", f"{bag[:4]}.{bag[4:]}", f"'{bag}"])


def messy_date(rng: random.Random) -> str:
    """A date as exports write it."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.choice([2024, 2025, 2026])
    month = min(month, 10) if year == 2026 else month
    forms = [f"{day}-{month}-{year}", f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}"]
    return rng.choice(forms)


def locations(path: Path, rng: random.Random) -> list[str]:
    """SNF's register: semicolons, CP-1252, spaces in numbers, broken and repeated rows. Returns the good BAG ids."""
    bags = bag_ids(rng, LOCATIONS)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(["Locatienaam", "BAG-id", "Status", "Bedden", "Laatste inspectie"])
    rows = []
    for number, bag in enumerate(bags):
        street = rng.choice(STREETS[:5])
        rows.append(
            [f"{street} {number}", messy_bag(rng, bag), rng.choice(STATUSES), rng.randint(2, 120), messy_date(rng)]
        )
    rows.extend(list(row) for row in rng.sample(rows, 25))
    for wrong in ("", "onbekend", "3,44010E+14", "0344990000012345", "99"):
        rows += [["Kapot", wrong, "geldig", 10, "1-2-2026"]] * 3
    rng.shuffle(rows)
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode("cp1252"))
    return bags


def addresses(path: Path, rng: random.Random, bags: list[str]) -> None:
    """The municipality's list: comma, UTF-8 with BOM, lost leading zeros, empty cells. 60 % stand in the register."""
    chosen = rng.sample(bags, int(QUESTIONS * 0.6))
    unknown = rng.sample(range(6_000_000, 9_000_000), QUESTIONS - len(chosen) - 8)
    others = [f"034401{number:010d}" for number in unknown]
    rows = []
    for number, bag in enumerate(chosen + others):
        cell = bag[1:] if rng.random() < 0.05 else messy_bag(rng, bag)
        rows.append([f"Z-2026-{number:05d}", cell, rng.choice(STREETS)])
    rows += [
        [f"Z-2026-9{number:04d}", wrong, "?"] for number, wrong in enumerate(["", "geen", "12", "", "x", "1", "-", "?"])
    ]
    rng.shuffle(rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["Zaak", "BAG nummeraanduiding/verblijfsobject", "Straat"])
    writer.writerows(rows)
    path.write_bytes("\ufeff".encode() + text.getvalue().encode("utf-8"))


def firms(certified: Path, inspected: Path, rng: random.Random) -> None:
    """SNA's certified establishments, and the Inspectorate's own list of which about half is certified."""
    numbers = [f"{number:012d}" for number in rng.sample(range(10_000, 60_000_000), FIRMS * 3 // 2)]
    ours, theirs = numbers[:FIRMS], numbers[FIRMS // 2 :]
    certified.write_text("Vestigingsnummer\n" + "\n".join(ours) + "\n", encoding="utf-8")
    lines = [f"{index}\tVest.nr. {number[:6]} {number[6:]}" for index, number in enumerate(theirs)]
    inspected.write_text("Nr\tVestigingsnummer\n" + "\n".join(lines) + "\n", encoding="utf-8")


def persons(known: Path, asked: Path, rng: random.Random) -> None:
    """UWV's persons, and those whom inspectors met, of whom about half are known.

    Numbers from 999900000 pass the test of a BSN and are given to nobody.
    """
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    numbers = [
        text
        for text in map(str, range(999_900_000, 1_000_000_000))
        if sum(weight * int(digit) for weight, digit in zip(weights, text, strict=True)) % 11 == 0
    ]
    chosen = rng.sample(numbers, PERSONS + ASKED // 2)
    known.write_text("Burgerservicenummer\n" + "\n".join(chosen[:PERSONS]) + "\n", encoding="utf-8")
    met = chosen[PERSONS - ASKED + ASKED // 2 :]
    lines = [f"{index};{number[:4]}.{number[4:6]}.{number[6:]}" for index, number in enumerate(met)]
    asked.write_text("Nr;BSN\n" + "\n".join(lines) + "\n", encoding="utf-8")


def write_all(directory: Path, seed: int = 2026) -> None:
    """Writes all input files of the demo."""
    rng = random.Random(seed)  # noqa: S311 - made-up records, the same every time
    directory.mkdir(parents=True, exist_ok=True)
    bags = locations(directory / "snf-locaties.csv", rng)
    addresses(directory / "utrecht-adressen.csv", rng, bags)
    firms(directory / "sna-gecertificeerd.csv", directory / "nla-lijst.tsv", rng)
    persons(directory / "uwv-bekend.csv", directory / "nla-personen.csv", rng)
