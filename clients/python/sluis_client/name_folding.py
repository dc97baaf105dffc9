"""Names as sounds that survive transliteration: one spelling for what several laws print in several ways.

A person from Sofia or Lviv is `Юлия` or `Юлія`, `Iuliia` in a passport by ICAO 9303, `Yulia` by Bulgaria's law,
`Yuliia` by Ukraine's, `Julia` in a Polish or German register. `fold` gives all of them one form. It is a fixed list
of rules on A to Z, explained here and in docs/linkage.md; none was made for a single record. A changed rule changes
pseudonyms and therefore makes new scheme versions. Sources, by what is made equal:

- ICAO Doc 9303-3:2021 section 6, tables A and B (`sluis_client.transliteration`): Ä AE|A, Ö OE|O, Ü UE|U, Å AA|A.
- Bulgaria, Transliteration Act (State Gazette 19/2009): Х H, Щ SHT, Ъ A, Ю YU, Я YA, final -ия IA.
- Ukraine, Cabinet of Ministers resolution 55 of 27 January 2010: Г H, И Y, Щ SHCH, Є YE|IE, Ї YI|I, Ю YU|IU, Я YA|IA.
- Polish digraphs SZ, CZ, SZCZ, RZ and the W, as Polish registers write Ukrainian names (Szewczenko).
- Hungarian digraphs CS, ZS, SZ, GY, LY, NY, TY; double acutes lose their marks by table A.
- Romanian comma-below and cedilla letters are one (`transliteration`), Ă and Â lose their marks by table A.
"""

from __future__ import annotations

import re

# ruff: noqa: RUF002, RUF003  # Cyrillic letters are named here

_GROUPS = (
    ("SHCH|SZCZ|SHTCH|SHT", "SC"),  # Щ: ICAO and Ukraine, Poland, Bulgaria
    ("TSCH|TCH|CZ|CS|CH|TS|TZ|C", "C"),  # Ч and Ц; Hungarian CS; a C that is a K falls in with them
    ("SCH|SH|SZ", "S"),  # Ш; Hungarian SZ
    ("ZH|ZS|RZ", "Z"),  # Ж; Hungarian ZS; Polish RZ, which sounds as Ż
    ("KH|G", "H"),  # Х KH|H; Г G|H
    ("Q|X", "K"),  # not CK: Potocki is Потоцький, POTOTSKYI by the law (and BECK does not meet BEK)
    ("PH", "F"),
    ("TH", "T"),
    ("W", "V"),
)
_GROUP = re.compile("|".join(f"(?P<g{number}>{words})" for number, (words, _) in enumerate(_GROUPS)))
_UMLAUTS = re.compile("(?<=[AOU])E|AA")
_GLIDES = re.compile("[YJ]")
_REPEATED = re.compile(r"(.)\1+")
_BEFORE_VOWEL = re.compile("(?<=.)I(?=[AOU])|I(?=E)")  # at the start only IE: Jan is not An, Yevhen is Evhen


def fold(name: str) -> str:
    """The form of `name` (A to Z) in which lawful transliterations of one name are equal; A to Z, never longer.

    Applied once, to a transliterated word: folding its own output again may give another form. `""` stays `""`.
    """
    text = _GROUP.sub(lambda found: _GROUPS[int((found.lastgroup or "g0")[1:])][1], name)
    text = _UMLAUTS.sub(lambda found: "A" if found[0] == "AA" else "", text)
    text = _REPEATED.sub(r"\1", _GLIDES.sub("I", text))
    return _REPEATED.sub(r"\1", _BEFORE_VOWEL.sub("", text))


_SOUNDS = str.maketrans("BDZCV", "PTSSF")
_VOWELS = re.compile("[AEIOUH]")


def skeleton(folded: str) -> str:
    """The consonants of a folded name, voiced and unvoiced ones as one, doubles as one; a vowel counts at the start.

    Misheard and mistyped vowels fall away: `Kowalczyk` and `Kovalchik` have one skeleton. `""` for no name.
    """
    if not folded:
        return ""
    first = "A" if folded[0] in "AEIOU" else folded[0].translate(_SOUNDS)
    return _REPEATED.sub(r"\1", first + _VOWELS.sub("", folded[1:].translate(_SOUNDS)))


PARTICLES = frozenset(
    {
        "VAN", "VON", "VOM", "DE", "DEN", "DER", "DES", "HET", "TE", "TEN", "TER", "ZU", "ZUM", "ZUR", "AF", "AV",
        "DA", "DAS", "DO", "DOS", "DI", "DEL", "DELLA", "DU", "LA", "LE", "LES", "LOS", "EL", "AL", "BIN", "IBN",
        "BINT", "OP", "IN", "AAN", "BIJ", "UIT", "V", "VD", "VDR", "T", "S", "D", "L",
    }
)  # fmt: skip
"""Words of a family name that registers leave out, shorten or file elsewhere; dropped unless nothing else is there."""

_PATRONYMIC = re.compile("(?:[OE]V[IY]C[HZ]|[OEI]VNA)$")


def without_particles(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words that carry the name: without `PARTICLES`, unless nothing else is there."""
    return tuple(word for word in words if word not in PARTICLES) or words


def without_patronymics(words: tuple[str, ...]) -> tuple[str, ...]:
    """Given names without a patronymic of the form -ovich, -ovych, -ivna, -ovna; the first word always stays."""
    return words[:1] + tuple(word for word in words[1:] if not _PATRONYMIC.search(word))
