"""Made-up people from five states and the Netherlands as two registers hold them, with the errors that registers make.

Everything is drawn from a fixed seed; nobody in it exists. Names are common ones (tests/vectors/persons/names.json),
drawn with Zipf weights; there are fewer of them than in life, so that strangers share names more often. `people`
gives pairs: one person as register A and as register B hold them. The error model, each line independent of the
others, chances per person or per record; they are assumptions, not measurements of any register:

| what | chance |
| --- | --- |
| Bulgarian and Ukrainian names: national law, ICAO 9303, Cyrillic as written; drawn for each record | 55, 35, 10 % |
| Ukrainian name in a register by way of a Polish document (Szewczenko) | 4 % |
| other names: with marks, bare letters, or ICAO (Müller, Muller, Mueller) | 50, 35, 15 % |
| one typing error in the family name, in the given name (replaced, dropped, doubled or exchanged letters) | 4 % each |
| second given name (of 35 % of people), patronymic (Ukraine, Bulgaria): present | 60 %, 30 % |
| double family name (8 %): only one part written | 30 % |
| family and given name swapped (12 % when Hungarian) | 2 % |
| a woman's family name changed by marriage (register B) | 3 % |
| short form of the given name | 3 % |
| family name or given name missing | 0.5 % each |
| day and month swapped; a digit wrong; 1 January instead; day or month 00; date missing | 1.5, 1.5, 1, 1, 1 % |
| moved house between the registers | 25 % |
| address missing; typing error in the postcode; other house number | 8, 2, 2 % |
| document number missing; one character wrong | 15, 1.5 % |
| lives in one of n/15 shared houses; with the previous person, under one family name | 51, 15 % |
"""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

# ruff: noqa: RUF001  # Cyrillic names are the point here

Row = dict[str, str]

_FILE = Path(__file__).parents[1] / "vectors" / "persons" / "names.json"
_HELD = json.loads(_FILE.read_text(encoding="utf-8"))
_NAMES: dict[str, dict[str, list[str]]] = _HELD["names"]
_SHORT: dict[str, str] = _HELD["short_forms"]
_ICAO = {
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Д": "D", "Е": "E", "Ж": "ZH", "З": "Z", "И": "I", "Й": "I", "К": "K",
    "Л": "L", "М": "M", "Н": "N", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ф": "F", "Х": "KH",
    "Ц": "TS", "Ч": "CH", "Ш": "SH", "Щ": "SHCH", "Ъ": "IE", "Ь": "", "Ю": "IU", "Я": "IA", "Є": "IE", "І": "I",
    "Ї": "I",
    "Ґ": "G",
}  # fmt: skip
_LAWS = {
    "BGR": {"Й": "Y", "Х": "H", "Щ": "SHT", "Ъ": "A", "Ь": "Y", "Ю": "YU", "Я": "YA"},
    "UKR": {"Г": "H", "И": "Y"},
}
_ICAO_STATE = {"BGR": {"Щ": "SHT"}, "UKR": {"Г": "H", "И": "Y"}}
_UKRAINE_FIRST = {"Є": "YE", "Ї": "YI", "Й": "Y", "Ю": "YU", "Я": "YA"}
_POLISH = {"В": "W", "Ж": "Ż", "Ш": "SZ", "Ч": "CZ", "Щ": "SZCZ", "Х": "CH", "Ц": "C", "Ю": "JU", "Я": "JA", "Й": "J"}
_STREETS = [
    "Kerkstraat", "Dorpsstraat", "Schoolstraat", "Molenweg", "Julianastraat", "Nieuwstraat", "Wilhelminastraat",
    "Parallelweg", "Stationsweg", "Industrieweg", "Beatrixstraat", "Hoofdstraat", "Kanaaldijk", "Polderweg",
    "Havenstraat", "Zuiderweg", "Tuinbouwlaan", "Bosweg", "Veldstraat",
]  # fmt: skip


@dataclass(frozen=True)
class _Person:
    state: str
    woman: bool
    family: tuple[str, ...]
    given: tuple[str, ...]
    patronymic: str
    born: date
    address: tuple[str, str, str]
    document: str


def people(seed: int, count: int) -> list[tuple[Row, Row]]:
    """`count` people, each as registers A and B hold them: columns of the schemes for persons, plus `id`."""
    draw = random.Random(seed)
    houses = [_address(draw) for _ in range(max(count // 15, 1))]
    pairs = []
    previous = None
    for number in range(count):
        person = _person(draw, houses, previous)
        previous = person
        later = _later(draw, person)
        pairs.append((_record(draw, person, number), _record(draw, later, number)))
    return pairs


def halves(pairs: Sequence[tuple[Row, Row]]) -> tuple[list[Row], list[Row]]:
    """Open world: a third of the people in both registers, a third in A only and a third in B only."""
    third = len(pairs) // 3
    register_a = [pair[0] for pair in pairs[: 2 * third]]
    register_b = [pair[1] for pair in pairs[:third]] + [pair[1] for pair in pairs[2 * third : 3 * third]]
    return register_a, register_b


def _pick(draw: random.Random, names: Sequence[str]) -> str:
    return draw.choices(names, [1 / (rank + 4) for rank in range(len(names))])[0]


def _person(draw: random.Random, houses: Sequence[tuple[str, str, str]], previous: _Person | None) -> _Person:
    home = draw.random()
    kin = previous if home > 0.85 else None  # kin: one address, one family name
    state = kin.state if kin else draw.choice(["POL", "POL", "ROU", "BGR", "UKR", "HUN", "NLD"])
    men, women, listed = (_NAMES[state][kind] for kind in ("men", "women", "families"))
    woman = draw.random() < 0.45
    family = [_gendered(_pick(draw, listed), state, woman)]
    if draw.random() < 0.08:
        family.append(_gendered(_pick(draw, listed), state, woman))
    given = [_pick(draw, women if woman else men)]
    if draw.random() < 0.35:
        given.append(draw.choice(women if woman else men))
    patronymic = _patronymic(draw.choice(men), state, woman)
    address = draw.choice(houses) if home < 0.6 else _address(draw)
    if kin:
        address, family = kin.address, list(kin.family)
    born = date(1955, 1, 1) + timedelta(days=draw.randrange(19_000))
    document = "".join(draw.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=2)) + "".join(draw.choices("0123456789", k=7))
    return _Person(state, woman, tuple(family), tuple(given), patronymic, born, address, document)


def _later(draw: random.Random, person: _Person) -> _Person:
    """The same person in another register, another year."""
    family, address = person.family, person.address
    if person.woman and draw.random() < 0.03:
        family = (_gendered(_pick(draw, _NAMES[person.state]["families"]), person.state, woman=True),)
    if draw.random() < 0.25:
        address = _address(draw)
    return _Person(
        person.state, person.woman, family, person.given, person.patronymic, person.born, address, person.document
    )


def _gendered(family: str, state: str, woman: bool) -> str:
    if not woman:
        return family
    if state == "POL" and family.endswith(("ski", "cki")):
        return family[:-1] + "a"
    if state == "BGR" and family.endswith(("ов", "ев")):
        return family + "а"
    if state == "UKR" and family.endswith(("ський", "ний")):
        return family[:-2] + "а"
    return family


def _patronymic(father: str, state: str, woman: bool) -> str:
    if state == "UKR":
        stem = father.removesuffix("й").removesuffix("о").removesuffix("а")
        return stem + ("івна" if woman else "ович")
    if state == "BGR":
        return father.removesuffix("и").removesuffix("й") + ("ова" if woman else "ов")
    return ""


def _address(draw: random.Random) -> tuple[str, str, str]:
    postcode = f"{draw.randrange(1011, 9999)}{draw.choice('ABCDEGHJKLMNPRSTVWXZ')}{draw.choice('ABCDEGHJKLNPRTVWXZ')}"
    return postcode, str(draw.randrange(1, 180)), draw.choice(_STREETS)


def _record(draw: random.Random, person: _Person, number: int) -> Row:
    way = _way(draw, person.state)
    family_words, given_words = list(person.family), list(person.given)
    if len(family_words) == 2 and draw.random() < 0.3:
        family_words = [draw.choice(family_words)]
    if len(given_words) == 2 and draw.random() < 0.4:
        given_words = given_words[:1]
    if draw.random() < 0.03:
        given_words[0] = _SHORT.get(given_words[0], given_words[0])
    if person.patronymic and draw.random() < 0.3:
        given_words.append(person.patronymic)
    family = _typed(draw, "-".join(_written(word, person.state, way) for word in family_words))
    given = _typed(draw, " ".join(_written(word, person.state, way) for word in given_words))
    if draw.random() < (0.12 if person.state == "HUN" else 0.02):
        family, given = given, family
    family = "" if draw.random() < 0.005 else family
    given = "" if draw.random() < 0.005 else given
    postcode, house_number, street = person.address
    if draw.random() < 0.02:
        postcode = _one_wrong(draw, postcode, "0123456789")
    if draw.random() < 0.02:
        house_number = str(draw.randrange(1, 180))
    row = {"id": str(number), "family_name": family, "given_names": given, "birth_date": _born(draw, person.born)}
    if draw.random() >= 0.08:
        row |= {"postcode": postcode, "house_number": house_number, "street": street}
    if draw.random() >= 0.15:
        wrong = draw.random() < 0.015
        row["document_number"] = _one_wrong(draw, person.document, "0123456789") if wrong else person.document
        row["document_country"] = person.state
    return row


def _way(draw: random.Random, state: str) -> str:
    if state in _LAWS:
        return draw.choices(["law", "icao", "written"], [55, 35, 10])[0]
    return draw.choices(["written", "bare", "icao"], [50, 35, 15])[0]


def _written(word: str, state: str, way: str) -> str:
    if way == "written":
        return word
    if state in _LAWS:
        table = _POLISH if way == "law" and state == "UKR" and hash_of(word) % 25 == 0 else None
        return _latin(word.upper(), state, way, table).capitalize()
    if way == "icao":
        word = word.replace("ü", "ue").replace("ö", "oe").replace("ä", "ae")
    word = word.replace("ł", "l").replace("Ł", "L")
    return "".join(part for part in unicodedata.normalize("NFD", word) if not unicodedata.combining(part))


def hash_of(word: str) -> int:
    """A number of the word that is the same in every run, unlike `hash`."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(word))


def _latin(word: str, state: str, way: str, polish: dict[str, str] | None) -> str:
    exceptions = _LAWS[state] if way == "law" else _ICAO_STATE[state]
    out = []
    for place, letter in enumerate(word):
        shown = exceptions.get(letter, _ICAO.get(letter, letter))
        if state == "UKR" and place == 0:
            shown = _UKRAINE_FIRST.get(letter, shown)
        if polish is not None:
            shown = polish.get(letter, shown)
        out.append("" if letter == "'" else shown)
    text = "".join(out)
    if state == "BGR" and way == "law" and word.endswith("ИЯ"):
        text = text.removesuffix("YA") + "A"
    return text


def _typed(draw: random.Random, text: str) -> str:
    if draw.random() >= 0.04 or len(text) < 3:
        return text
    at = draw.randrange(1, len(text) - 1)
    kind = draw.randrange(4)
    if kind == 0:
        like = "абвгдеиклмнопрст" if text[at] > "\u0400" else "abcdefghijklmnoprstuvwyz"
        return text[:at] + draw.choice(like) + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at] + text[at:]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _one_wrong(draw: random.Random, text: str, letters: str) -> str:
    places = [place for place, letter in enumerate(text) if letter in letters]
    at = draw.choice(places)
    return text[:at] + draw.choice(letters) + text[at + 1 :]


def _born(draw: random.Random, born: date) -> str:
    fate = draw.random()
    year, month, day = f"{born.year}", f"{born.month:02d}", f"{born.day:02d}"
    if fate < 0.015 and born.day <= 12:
        month, day = day, month
    elif fate < 0.03:
        return _one_wrong(draw, f"{year}{month}{day}", "0123456789")
    elif fate < 0.04:
        month = day = "01"
    elif fate < 0.05:
        month, day = draw.choice([("00", "00"), (month, "00")])
    elif fate < 0.06:
        return ""
    return f"{year}-{month}-{day}"
