"""Columns and fixed phrases of the register of processing activities, in Dutch and in English."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "purpose": {"nl": "Kenmerk", "en": "Reference"},
    "title": {"nl": "Vraag", "en": "Question"},
    "state": {"nl": "Stand", "en": "State"},
    "activity": {"nl": "Verwerkingsactiviteit", "en": "Processing activity"},
    "asking": {"nl": "a. Verwerkingsverantwoordelijke: stelt de vraag", "en": "a. Controller: asks"},
    "answering": {"nl": "a. Verwerkingsverantwoordelijke: verstrekt", "en": "a. Controller: answers"},
    "on_behalf_of": {"nl": "a. Verwerker → namens wie zij vraagt", "en": "a. Processor → for whom it asks"},
    "contact": {
        "nl": "a. Contactgegevens en functionaris voor gegevensbescherming",
        "en": "a. Contact details and data protection officer",
    },
    "because": {"nl": "b. Doeleinden", "en": "b. Purposes"},
    "use_only_for": {"nl": "b. Alleen te gebruiken voor", "en": "b. To be used only for"},
    "legal_basis": {"nl": "Grondslag", "en": "Legal basis"},
    "subjects": {"nl": "c. Categorieën van betrokkenen", "en": "c. Categories of data subjects"},
    "data": {"nl": "c. Categorieën van persoonsgegevens", "en": "c. Categories of personal data"},
    "special": {
        "nl": "c. Bijzondere en strafrechtelijke persoonsgegevens",
        "en": "c. Special categories and criminal data",
    },
    "recipients": {"nl": "d. Ontvangers", "en": "d. Recipients"},
    "transfer": {
        "nl": "e. Doorgifte aan derde landen of internationale organisaties",
        "en": "e. Transfers to third countries or international organisations",
    },
    "retention": {"nl": "f. Bewaartermijnen", "en": "f. Time limits for erasure"},
    "security": {"nl": "g. Beveiligingsmaatregelen", "en": "g. Security measures"},
    "dpia": {"nl": "DPIA (artikel 35)", "en": "DPIA (article 35)"},
    "valid": {"nl": "Geldig", "en": "Valid"},
    "to_confirm": {"nl": "Nog te bevestigen", "en": "Still to be confirmed"},
    "policy": {"nl": "Beleid (digest)", "en": "Policy (digest)"},
}
"""By name, in the order in which they are written. The letters are those of AVG article 30(1)."""

PHRASES: Mapping[str, Mapping[str, str]] = {
    "nl": {
        "title": "Register van verwerkingsactiviteiten (AVG artikel 30)",
        "made from": "Gemaakt uit het beleid met digest `{digest}`. Waar `In te vullen` staat, weet het beleid het "
        "niet: dat vult de organisatie zelf in.",
        "field": "Onderdeel",
        "content": "Inhoud",
        "draft": "concept",
        "shadow": "schaduw: er wordt niets verstrekt",
        "active": "actief",
        "suspended": "opgeschort",
        "withdrawn": "ingetrokken",
        "none": "geen",
        "nothing": "niets",
        "contact": "In te vullen: contactgegevens van elke verantwoordelijke en van haar functionaris voor "
        "gegevensbescherming; en of de partijen gezamenlijk verantwoordelijk zijn (artikel 26)",
        "not bounded": "niet nader beperkt dan de doeleinden",
        "no persons": "{about}: het onderwerp is geen natuurlijke persoon",
        "natural persons left out": "natuurlijke personen, zoals eenmanszaken, worden uit het register gelaten",
        "judge persons": "In te vullen: of gegevens tot een persoon te herleiden zijn, zoals bij een eenmanszaak of "
        "bewoner",
        "pseudonym of": "pseudoniem van {what}",
        "hit": "of het onderwerp in het register staat",
        "count": "een aantal, ten minste {least}",
        "no special": "geen, volgens de catalogus",
        "no law": "geen wet genoemd die het verbod opheft",
        "transfer": "Het beleid kent geen doorgifte en noemt van geen partij een vestiging buiten de EU. In te vullen: "
        "of de partijen of hun verwerkers buiten de EU verwerken",
        "retention": "antwoord, bij de vrager: {answer} dagen; verantwoording, bij de tussenpersoon: {vault} dagen. In "
        "te vullen: termijn van de eigen registratie",
        "pseudonymised": "nummers verlaten de organisatie alleen als pseudoniem, met een sleutel per doel en {epoch} "
        "(modus {mode}) die de tussenpersoon niet heeft",
        "services": "pseudoniemen worden gemaakt met sleuteldiensten van verschillende beheerders, die niet zien van "
        "wie: {services}",
        "quarter": "kwartaal",
        "month": "maand",
        "year": "jaar",
        "sealed": "de gegevens die worden verstrekt zijn verzegeld; de tussenpersoon kan ze niet lezen",
        "logged": "elke vraag wordt vooraf getoetst en vastgelegd in een logboek waarin elke wijziging achteraf opvalt",
        "limits": "ten hoogste {subjects} onderwerpen per vraag en {requests} vragen per dag",
        "case number": "een zaaknummer is verplicht",
        "cooperation": "het kenmerk van de samenwerking is verplicht",
        "human check": "een mens controleert elke treffer",
        "organisation": "In te vullen: organisatorische maatregelen",
        "no dpia": "geen genoemd",
        "valid": "van {first} tot en met {last}",
    },
    "en": {
        "title": "Register of processing activities (GDPR article 30)",
        "made from": "Made from the policy with digest `{digest}`. Where it says `To fill in`, the policy does not "
        "know: the organisation fills it in.",
        "field": "Part",
        "content": "Content",
        "draft": "draft",
        "shadow": "shadow: nothing is released",
        "active": "active",
        "suspended": "suspended",
        "withdrawn": "withdrawn",
        "none": "none",
        "nothing": "nothing",
        "contact": "To fill in: contact details of each controller and of its data protection officer; and whether the "
        "parties are joint controllers (article 26)",
        "not bounded": "no narrower than the purposes",
        "no persons": "{about}: the subject is no natural person",
        "natural persons left out": "natural persons, such as sole traders, are left out of the register",
        "judge persons": "To fill in: whether data can be traced to a person, such as a sole trader or a resident",
        "pseudonym of": "pseudonym of {what}",
        "hit": "whether the subject is in the register",
        "count": "a number, of at least {least}",
        "no special": "none, by the catalogue",
        "no law": "no law named that lifts the ban",
        "transfer": "The policy knows no transfer, and names no party established outside the EU. To fill in: whether "
        "the parties or their processors process outside the EU",
        "retention": "answer, at the party that asked: {answer} days; accountability, at the broker: {vault} days. To "
        "fill in: term of the own records",
        "pseudonymised": "numbers leave the organisation only as pseudonyms, under a key per purpose and {epoch} (mode "
        "{mode}) that the broker does not hold",
        "services": "pseudonyms are made with key services of different operators, which do not see of whom: "
        "{services}",
        "quarter": "quarter",
        "month": "month",
        "year": "year",
        "sealed": "attributes that are released are sealed; the broker cannot read them",
        "logged": "every question is decided and logged beforehand, in a log in which any later change shows",
        "limits": "at most {subjects} subjects in a question and {requests} questions a day",
        "case number": "a case number is required",
        "cooperation": "the reference of the co-operation is required",
        "human check": "a person checks every hit",
        "organisation": "To fill in: organisational measures",
        "no dpia": "none named",
        "valid": "from {first} to {last}, both included",
    },
}
