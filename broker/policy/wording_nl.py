"""Dutch for every reason and duty that an engine can give, template by template.

The left side is the English of `broker.policy.checks`, `evaluate` or `terms`, with a slot where a value stands; the
right side has the same slots in the same order. A template that is added there needs a line here: a test finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

STATES: Mapping[str, str] = {
    "a draft": "een concept",
    "in shadow: decisions are logged and nothing is released": (
        "in schaduw: beslissingen worden vastgelegd en er wordt niets verstrekt"
    ),
    "suspended": "opgeschort",
    "withdrawn": "ingetrokken",
}
PHRASES: tuple[tuple[str, str], ...] = (
    (r"\(a word that is no name\)", "(een woord dat geen naam is)"),
    (r" and ([0-9]+) more$", r" en nog \1"),
    (r"^none$", "geen"),
)
"""What the engine itself adds to a list of names."""

COUNTED: tuple[tuple[str, str], ...] = (
    ("earlier questions about the same subjects", "eerdere vragen over dezelfde onderwerpen"),
    ("earlier questions inside or around this one", "eerdere vragen binnen of om deze vraag"),
    ("earlier questions about one of these subjects", "eerdere vragen over een van deze onderwerpen"),
    ("subjects asked about within an hour", "onderwerpen waarover binnen een uur is gevraagd"),
    ("subjects asked about in this epoch", "onderwerpen waarover in deze sleutelperiode is gevraagd"),
    ("hits of the last hundred subjects or so", "treffers op de laatste honderd onderwerpen of iets meer"),
)
"""What a guard against probing counts (`broker.policy.guards`)."""


def _guards() -> Iterator[tuple[str, str]]:
    """What a guard says of what it counted."""
    yield "what was asked before is not among the facts", "wat eerder is gevraagd, staat niet bij de feiten"
    *counts, hits = COUNTED
    for english, dutch in counts:
        yield from _bounded(english, dutch, "at most {number}", "ten hoogste {number}")
    yield from _bounded(*hits, "at least {number}", "ten minste {number}")
    yield f"{hits[0]}: not known yet; at least {{number}}", f"{hits[1]}: nog niet bekend; ten minste {{number}}"


def _bounded(english: str, dutch: str, bound: str, grens: str) -> Iterator[tuple[str, str]]:
    said, gezegd = f"{english}: {{number}}; {bound}", f"{dutch}: {{number}}; {grens}"
    yield said, gezegd
    yield f"{said}, to be explained", f"{gezegd}, moet worden uitgelegd"


_STANDING: tuple[tuple[str, str], ...] = (
    ("no question may stand under this purpose", "onder dit doel mag geen vraag blijven staan"),
    ("what its first question was is not among the facts", "de eerste vraag staat niet bij de feiten"),
    (
        "its first question is not known: none of yours to this answerer, under this purpose and key, that may stand",
        "de eerste vraag is niet bekend: geen van u aan deze partij, met dit doel en deze sleutel, die mag staan",
    ),
    (
        "it is not the question that it says it is: other subjects, or something else is asked of them",
        "het is niet de vraag die zij zegt te zijn: andere onderwerpen, of er wordt iets anders gevraagd",
    ),
    (
        "the subjects of its first question are kept no longer, so nothing shows that it is the same question",
        "de onderwerpen van de eerste vraag worden niet meer bewaard, dus niets toont dat het dezelfde vraag is",
    ),
    (
        "the answerer has published nothing newer than what answered it last",
        "de bevraagde partij heeft niets nieuwers gepubliceerd dan wat het laatst antwoordde",
    ),
    (
        "days since its first question: {number}; at most {number}",
        "dagen sinds de eerste vraag: {number}; ten hoogste {number}",
    ),
)
"""What is said of a standing question (`broker.policy.standing`)."""


REASONS: tuple[tuple[str, str], ...] = (
    ("the purpose is in the policy set", "het doel staat in de beleidsset"),
    ("the policy set has no purpose named {shown}", "de beleidsset heeft geen doel met de naam {shown}"),
    ("could not be evaluated", "kon niet worden beoordeeld"),
    (
        "the policy set has no expiry: it is a draft or a demonstration",
        "de beleidsset heeft geen einddatum: het is een concept of een demonstratie",
    ),
    ("the policy set holds until {moment} UTC", "de beleidsset geldt tot {moment} UTC"),
    ("the policy set expired at {moment} UTC", "de beleidsset is verlopen op {moment} UTC"),
    ("the purpose is active", "het doel is actief"),
    (
        "the purpose is {state}; only an active purpose permits",
        "het doel is {state}; alleen een actief doel geeft toestemming",
    ),
    ("no notice suspends the purpose", "het doel is niet opgeschort"),
    (
        "suspended by a signed notice since {moment} UTC; a new text that names the notice lifts it",
        "opgeschort met een ondertekende melding sinds {moment} UTC; een nieuwe tekst die haar noemt, heft dit op",
    ),
    ("valid {day} to {day}, both included", "geldig van {day} tot en met {day}"),
    ("today is {day}; valid {day} to {day}, both included", "vandaag is het {day}; geldig van {day} tot en met {day}"),
    ("{name} may ask", "{name} mag de vraag stellen"),
    ("{shown} asks; allowed: {names}", "{shown} stelt de vraag; dat mogen alleen: {names}"),
    ("asks for itself", "vraagt voor zichzelf"),
    (
        "{name} is a processor here and must name its principal; allowed: {names}",
        "{name} is hier verwerker en moet noemen namens wie de vraag wordt gesteld; toegestaan: {names}",
    ),
    ("{name} may ask on behalf of {name}", "{name} mag de vraag stellen namens {name}"),
    ("{shown} on behalf of {shown} is no listed pair", "{shown} namens {shown} staat niet in de lijst van paren"),
    ("{shown} would answer its own question", "{shown} zou de eigen vraag beantwoorden"),
    ("{name} may be asked", "{name} mag worden bevraagd"),
    ("{shown} is asked; allowed: {names}", "{shown} wordt bevraagd; toegestaan: {names}"),
    ("identified by {name}", "aangeduid met {name}"),
    ("identified by {shown}; allowed: {names}", "aangeduid met {shown}; toegestaan: {names}"),
    (
        "an identifier that is not accepted has no match keys",
        "een nummer dat hier niet wordt aanvaard, heeft geen koppelsleutels",
    ),
    (
        "match keys used: {number}; allowed: 1 to {number}",
        "gebruikte koppelsleutels: {number}; toegestaan: 1 tot en met {number}",
    ),
    ("{epoch} is the epoch in force", "{epoch} is de geldende sleutelperiode"),
    (
        "{epoch} is the epoch before {epoch}, and they overlap for {number} days",
        "{epoch} is de sleutelperiode voor {epoch}, en ze overlappen {number} dagen",
    ),
    ("{shown} is not the epoch in force, {epoch}", "{shown} is niet de geldende sleutelperiode; dat is {epoch}"),
    ("mode {name} is available", "modus {name} is beschikbaar"),
    ("mode {name} is not available at this broker", "modus {name} is bij deze tussenpersoon niet beschikbaar"),
    ("no attributes asked", "er worden geen gegevens gevraagd"),
    ("asked and allowed: {names}", "gevraagd en toegestaan: {names}"),
    ("not in this purpose: {some}; allowed: {names}", "niet in dit doel: {some}; toegestaan: {names}"),
    ("{shown} does not hold: {some}", "{shown} is geen houder van: {some}"),
    (
        "the question asks for nothing: neither hits, a count nor attributes",
        "er wordt niets gevraagd: geen treffers, geen telling en geen gegevens",
    ),
    ("no hits asked", "er worden geen treffers gevraagd"),
    ("hits may be learned", "treffers mogen worden verstrekt"),
    ("hits row by row may not be learned", "treffers per rij mogen niet worden verstrekt"),
    ("no count asked", "er wordt geen telling gevraagd"),
    ("no count may be learned", "een telling mag niet worden verstrekt"),
    (
        "a count cannot be asked together with hits or attributes; ask twice",
        "een telling kan niet samen met treffers of gegevens worden gevraagd; stel twee vragen",
    ),
    (
        "a count may be learned, of at least {number} subjects",
        "een telling mag worden verstrekt, van ten minste {number}",
    ),
    (
        "subjects asked about: {number}; allowed: 1 to {number}",
        "aantal waarover wordt gevraagd: {number}; toegestaan: 1 tot en met {number}",
    ),
    (
        "requests permitted earlier today: {number}; allowed a day: {number}",
        "eerder vandaag toegestane vragen: {number}; toegestaan per dag: {number}",
    ),
    ("a case number is required, and none was given", "een zaaknummer is verplicht en ontbreekt"),
    ("none is required", "niet verplicht"),
    (
        "a case number was given, in the asker's own form",
        "er is een zaaknummer gegeven, in de vorm die de vrager gebruikt",
    ),
    (
        "the case number looks like a BSN; give one that holds no BSN",
        "het zaaknummer lijkt op een BSN; geef een zaaknummer waar geen BSN in staat",
    ),
    (
        "the case number does not have the form of the asker's case numbers",
        "het zaaknummer heeft niet de vorm van de zaaknummers van de vrager",
    ),
    ("a co-operation reference was given", "het kenmerk van de samenwerking is gegeven"),
    (
        "a co-operation reference is required, and none was given",
        "het kenmerk van de samenwerking is verplicht en ontbreekt",
    ),
    ("no row rules are demanded", "er worden geen regels voor het register geëist"),
    (
        "no register is in force, so nothing can be answered",
        "er is geen geldend register, dus er kan niets worden beantwoord",
    ),
    (
        "the register does not declare the rule {rule} = {value}",
        "het register verklaart niet dat deze regel is toegepast: {rule} = {value}",
    ),
    ("the register declares: {rules}", "het register verklaart dat deze regels zijn toegepast: {rules}"),
    ("no earlier count to compare with", "er is geen eerdere telling om mee te vergelijken"),
    (
        "subjects by which it differs from an earlier count: {number}; at least {number}",
        "verschil met een eerdere telling: {number}; ten minste {number}",
    ),
    (
        "counts permitted earlier in this epoch: {number}; allowed: {number}",
        "eerder in deze sleutelperiode toegestane tellingen: {number}; toegestaan: {number}",
    ),
    ("{name} is not in force on {day}", "grondslag {name} geldt niet op {day}"),
    (
        "answers are kept {number} days, {name} allows {number}",
        "antwoorden worden {number} dagen bewaard; grondslag {name} laat {number} toe",
    ),
    *_guards(),
    *_STANDING,
)

DUTIES: tuple[tuple[str, str], ...] = (
    (
        "answer_keep_days: delete the answer within {number} days",
        "answer_keep_days: verwijder het antwoord binnen {number} dagen",
    ),
    (
        "human_check: a person checks every hit before anything is done with it",
        "human_check: een mens controleert elke treffer voordat er iets mee gebeurt",
    ),
    (
        "deliver_every_days: the register is renewed at least every {number} days",
        "deliver_every_days: het register wordt ten minste elke {number} dagen vernieuwd",
    ),
    *(
        (
            f"explain-{{name}}: say in the log why, with `sluis-client unusual explain` ({english})",
            f"explain-{{name}}: leg in het log uit waarom, met `sluis-client unusual explain` ({dutch})",
        )
        for english, dutch in COUNTED
    ),
)
"""`use_only_for` is not here: its Dutch stands in the purpose itself."""
