"""The register of processing activities (AVG article 30(1), a to g), from the purposes.

It holds what the policy knows; where only a person can know, it says so in a fixed phrase, so that nobody takes a blank
for an answer. No data of a subject and no name of a person stands in it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence

from broker.policy.catalogue import Catalogue
from broker.policy.document import PolicySet
from broker.policy.purpose import Purpose
from broker.policy.register_words import COLUMNS, PHRASES
from broker.policy.typing_text import Wording
from broker.policy.wording import Lang

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_BYTE_ORDER_MARK = "\ufeff"

Row = Mapping[str, str]
"""One processing activity: a text for every column of `COLUMNS`."""


def register_rows(policies: PolicySet, purposes: Sequence[Purpose], lang: Lang) -> tuple[Row, ...]:
    """A row for each purpose, in their order."""
    return tuple(_row(policies, purpose, lang) for purpose in purposes)


def as_csv(rows: Sequence[Row], lang: Lang) -> str:
    """As Dutch Excel opens it: semicolons, a byte order mark, CRLF, every cell quoted.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([COLUMNS[column][lang] for column in COLUMNS])
    for row in rows:
        writer.writerow([_harmless(row[column]) for column in COLUMNS])
    return _BYTE_ORDER_MARK + out.getvalue()


def as_markdown(policies: PolicySet, rows: Sequence[Row], lang: Lang) -> str:
    """A page with an overview, and a table for each processing activity."""
    say = PHRASES[lang]
    lines = [f"# {say['title']}", "", say["made from"].format(digest=policies.digest), ""]
    overview = ("purpose", "title", "state", "asking", "answering")
    lines += _table([COLUMNS[column][lang] for column in overview], [[row[c] for c in overview] for row in rows])
    for row in rows:
        lines += ["", f"## {_escaped(row['purpose'])}", ""]
        cells = [[COLUMNS[column][lang], row[column]] for column in COLUMNS]
        lines += _table([say["field"], say["content"]], cells)
    return "\n".join(lines) + "\n"


def _row(policies: PolicySet, purpose: Purpose, lang: Lang) -> Row:
    say, catalogue = PHRASES[lang], policies.catalogue
    basis = catalogue.legal_bases[purpose.legal_basis]
    pairs = [
        f"{_party(catalogue, p.processor, lang)} → {_party(catalogue, p.principal, lang)}" for p in purpose.on_behalf_of
    ]
    principals = {pair.principal for pair in purpose.on_behalf_of}
    processors = {pair.processor for pair in purpose.on_behalf_of}
    return {
        "purpose": purpose.name,
        "title": _in(purpose.title, lang),
        "state": say[purpose.state],
        "activity": purpose.processing_activity,
        "asking": _parties(catalogue, sorted({*purpose.asks, *principals} - processors), lang),
        "answering": _parties(catalogue, purpose.answers, lang),
        "on_behalf_of": "; ".join(pairs) or say["none"],
        "contact": say["contact"],
        "because": purpose.because,
        "use_only_for": _in(purpose.use_only_for, lang) if purpose.use_only_for else say["not bounded"],
        "legal_basis": f"{basis.citation}: {_in(basis.summary, lang)} ({basis.dpv})",
        "subjects": _subjects(catalogue, purpose, lang),
        "data": "; ".join(_data(catalogue, purpose, lang)),
        "special": _special(catalogue, purpose, lang),
        "recipients": _parties(catalogue, sorted({*purpose.asks, *principals}), lang),
        "transfer": say["transfer"],
        "retention": say["retention"].format(answer=purpose.answer_keep_days, vault=purpose.vault_keep_days),
        "security": _security(catalogue, purpose, lang),
        "dpia": purpose.dpia or say["no dpia"],
        "valid": say["valid"].format(first=purpose.valid.from_, last=purpose.valid.until),
        "to_confirm": basis.to_be_confirmed or say["nothing"],
        "policy": policies.digest,
    }


def _in(wording: Wording, lang: Lang) -> str:
    return wording.nl if lang == "nl" else wording.en


def _party(catalogue: Catalogue, name: str, lang: Lang) -> str:
    return _in(catalogue.parties[name].title, lang)


def _parties(catalogue: Catalogue, names: Sequence[str], lang: Lang) -> str:
    return "; ".join(_party(catalogue, name, lang) for name in names)


def _subjects(catalogue: Catalogue, purpose: Purpose, lang: Lang) -> str:
    say, about = PHRASES[lang], catalogue.subject_types[purpose.about]
    if about.natural_person:
        return _in(about.title, lang)
    left_out = say["natural persons left out"] if purpose.exclude_natural_persons else say["judge persons"]
    return f"{say['no persons'].format(about=_in(about.title, lang))}; {left_out}"


def _data(catalogue: Catalogue, purpose: Purpose, lang: Lang) -> list[str]:
    say, learn = PHRASES[lang], purpose.may_learn
    found = [say["pseudonym of"].format(what=_in(catalogue.identifiers[i].title, lang)) for i in purpose.identified_by]
    found += [say["hit"]] if learn.hit else []
    found += [_in(catalogue.attributes[name].title, lang) for name in learn.attributes]
    found += [say["count"].format(least=learn.count.min_group)] if learn.count else []
    return found


def _special(catalogue: Catalogue, purpose: Purpose, lang: Lang) -> str:
    lifted = catalogue.legal_bases[purpose.legal_basis].special_categories
    found = []
    for name in purpose.may_learn.attributes:
        attribute = catalogue.attributes[name]
        if attribute.special_category is not None:
            law = lifted.get(attribute.special_category)
            citation = law.citation if law else PHRASES[lang]["no law"]
            found.append(f"{_in(attribute.title, lang)}: {attribute.special_category} ({citation})")
    return "; ".join(found) or PHRASES[lang]["no special"]


def _security(catalogue: Catalogue, purpose: Purpose, lang: Lang) -> str:
    say = PHRASES[lang]
    services = [_in(catalogue.key_services[name].title, lang) for name in purpose.pseudonyms.key_services]
    parts = [
        say["pseudonymised"].format(mode=purpose.pseudonyms.mode, epoch=say[purpose.pseudonyms.epoch]),
        *([say["services"].format(services=", ".join(services))] if services else []),
        *([say["sealed"]] if purpose.may_learn.attributes else []),
        say["logged"],
        say["limits"].format(subjects=purpose.limits.subjects_per_request, requests=purpose.limits.requests_per_day),
    ]
    parts += [say["case number"]] if purpose.case_number else []
    parts += [say["cooperation"]] if purpose.cooperation_ref else []
    parts += [say["human check"]] if purpose.human_check else []
    return "; ".join([*parts, say["organisation"]])


def _harmless(text: str) -> str:
    flat = re.sub(r"\s+", " ", text) if not text.startswith(_FORMULA) else text
    return f"'{flat}" if flat.startswith(_FORMULA) else flat


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [
        "| " + " | ".join(cell if number == 1 else _escaped(cell) for cell in line) + " |"
        for number, line in enumerate(lines)
    ]


def _escaped(text: str) -> str:
    """Text as itself in a Markdown table: no markup, no HTML, one line."""
    return re.sub(r"([\\|\[\]`*_<>])", r"\\\1", re.sub(r"\s+", " ", text))
