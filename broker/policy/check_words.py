"""What each check asks, as a question that its verdict answers, and what to do when the answer is no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Both: TypeAlias = Mapping[str, str]
"""The same said in Dutch (`nl`) and in English (`en`)."""

QUESTIONS: Mapping[str, Both] = {
    "purpose-known": {"en": "Does this purpose exist?", "nl": "Bestaat dit doel?"},
    "policy-set-current": {"en": "Is the policy set still in force?", "nl": "Geldt de beleidsset nog?"},
    "purpose-active": {"en": "Is the purpose in use?", "nl": "Is het doel in gebruik?"},
    "suspension": {"en": "Is the purpose free of suspension?", "nl": "Is het doel vrij van opschorting?"},
    "purpose-valid": {"en": "Is the purpose valid today?", "nl": "Is het doel vandaag geldig?"},
    "asker": {"en": "May this party ask?", "nl": "Mag deze partij de vraag stellen?"},
    "principal": {"en": "May it ask for whom it asks?", "nl": "Mag zij dat voor wie zij het vraagt?"},
    "answerer": {"en": "May this party be asked?", "nl": "Mag deze partij worden bevraagd?"},
    "identifier": {"en": "May subjects be named this way?", "nl": "Mag het onderwerp zo worden aangeduid?"},
    "match-keys": {"en": "Is the match strict enough?", "nl": "Is de koppeling streng genoeg?"},
    "mode": {"en": "Can it be pseudonymised as agreed?", "nl": "Kan het worden gepseudonimiseerd zoals afgesproken?"},
    "epoch": {"en": "Is it this period's key?", "nl": "Is het de sleutel van deze periode?"},
    "attributes": {"en": "Were the attributes asked agreed?", "nl": "Zijn de gevraagde gegevens afgesproken?"},
    "hit": {"en": "Are hits, if asked, agreed?", "nl": "Zijn treffers, als daarom wordt gevraagd, afgesproken?"},
    "count": {"en": "Is a count, if asked, agreed?", "nl": "Is een telling, als daarom wordt gevraagd, afgesproken?"},
    "subjects-per-request": {"en": "Is the question small enough?", "nl": "Is de vraag klein genoeg?"},
    "requests-per-day": {"en": "Does the limit of a day leave room?", "nl": "Laat de dagelijkse grens ruimte?"},
    "case-number": {"en": "Is the case number in order?", "nl": "Is het zaaknummer in orde?"},
    "cooperation-ref": {
        "en": "Is the co-operation reference in order?",
        "nl": "Is het kenmerk van de samenwerking in orde?",
    },
    "register-rules": {
        "en": "Was the register made by the rules demanded?",
        "nl": "Is het register gemaakt volgens de regels die worden geëist?",
    },
    "count-distance": {
        "en": "Does a count differ enough from earlier ones?",
        "nl": "Verschilt een telling genoeg van eerdere?",
    },
    "counts-per-epoch": {
        "en": "Does the limit on counts in this period leave room?",
        "nl": "Laat de grens aan tellingen in deze periode ruimte?",
    },
    "legal-basis": {"en": "Does the law still carry it?", "nl": "Draagt de wet het nog?"},
    "same-question": {
        "en": "Was the same not asked too often?",
        "nl": "Is niet te vaak hetzelfde gevraagd?",
    },
    "nested-question": {
        "en": "Do few earlier questions lie inside or around it?",
        "nl": "Liggen er weinig eerdere vragen in of om deze vraag?",
    },
    "asked-again": {
        "en": "Was each subject not asked about too often?",
        "nl": "Is naar elk onderwerp niet te vaak gevraagd?",
    },
    "subjects-per-hour": {
        "en": "Does the limit of an hour leave room?",
        "nl": "Laat de grens van een uur ruimte?",
    },
    "subjects-per-epoch": {
        "en": "Does the limit on subjects in this period leave room?",
        "nl": "Laat de grens aan onderwerpen in deze periode ruimte?",
    },
    "hits-per-hundred": {
        "en": "Were enough of those asked about known?",
        "nl": "Waren er van de gevraagden genoeg bekend?",
    },
    "standing-question": {
        "en": "May this question stand, and is there something newer?",
        "nl": "Mag deze vraag blijven staan, en is er iets nieuwers?",
    },
}

ADVICE: Mapping[str, Both] = {
    "purpose-known": {
        "en": "use the name of a purpose: its file's name in purposes/, without .yaml",
        "nl": "gebruik de naam van een doel: de naam van het bestand in purposes/, zonder .yaml",
    },
    "policy-set-current": {
        "en": "nothing can be asked until a later revision is signed and put in place",
        "nl": "er kan niets worden gevraagd tot een volgende revisie is ondertekend en geplaatst",
    },
    "purpose-active": {
        "en": "no question changes this; it takes a signed revision in which the purpose has `state: active`",
        "nl": "geen vraag verandert dit; nodig is een ondertekende revisie met `state: active` bij dit doel",
    },
    "suspension": {
        "en": "ask the officer who suspended it why; a signed text with the notice's id under `lifts` ends it",
        "nl": "vraag de functionaris die opschortte waarom; een ondertekende tekst met de melding onder `lifts` "
        "beëindigt het",
    },
    "purpose-valid": {
        "en": "ask within these days, or have the purpose signed anew with other days under `valid`",
        "nl": "vraag binnen deze dagen, of laat het doel opnieuw ondertekenen met andere dagen onder `valid`",
    },
    "asker": {
        "en": "if this party should be able to ask, add it to `asks` and have both sides sign",
        "nl": "hoort deze partij te mogen vragen, zet haar dan bij `asks` en laat beide kanten ondertekenen",
    },
    "principal": {
        "en": "name a listed principal with `on_behalf_of`, or leave it out when asking for oneself",
        "nl": "noem bij `on_behalf_of` een partij uit de lijst, of laat het weg als voor zichzelf wordt gevraagd",
    },
    "answerer": {
        "en": "ask a party that stands under `answers`",
        "nl": "bevraag een partij die onder `answers` staat",
    },
    "identifier": {
        "en": "use an identifier that stands under `identified_by`",
        "nl": "gebruik een nummer dat onder `identified_by` staat",
    },
    "match-keys": {
        "en": "use fewer match keys: the first ones are the strictest",
        "nl": "gebruik minder koppelsleutels: de eerste zijn de strengste",
    },
    "mode": {
        "en": "no question changes this; the broker does not offer this way of pseudonymising",
        "nl": "geen vraag verandert dit; de tussenpersoon biedt deze wijze van pseudonimiseren niet",
    },
    "epoch": {
        "en": "pseudonymise again with the key of the period in force",
        "nl": "pseudonimiseer opnieuw met de sleutel van de geldende periode",
    },
    "attributes": {
        "en": "leave the attribute out; if it is needed, add it under `attributes` with its necessity, and have both "
        "sides sign",
        "nl": "laat het gegeven weg; is het nodig, zet het dan met de noodzaak onder `attributes` en laat beide kanten "
        "ondertekenen",
    },
    "hit": {
        "en": "ask for what stands under `may_learn`, and for something",
        "nl": "vraag wat onder `may_learn` staat, en vraag iets",
    },
    "count": {
        "en": "ask for a count alone, under a purpose that has `count` in `may_learn`",
        "nl": "vraag alleen een telling, onder een doel met `count` in `may_learn`",
    },
    "subjects-per-request": {
        "en": "ask about fewer at a time, and about at least one",
        "nl": "vraag er minder tegelijk, en ten minste één",
    },
    "requests-per-day": {
        "en": "ask tomorrow: the count begins anew at midnight in Amsterdam",
        "nl": "vraag het morgen: de teller begint opnieuw om middernacht in Amsterdam",
    },
    "case-number": {
        "en": "give the number of the case, in the form that the catalogue gives for the asker, without a BSN in it",
        "nl": "geef het nummer van de zaak, in de vorm die de catalogus voor de vrager noemt, zonder BSN erin",
    },
    "cooperation-ref": {
        "en": "give the reference of the co-operation with `cooperation_ref`",
        "nl": "geef het kenmerk van de samenwerking bij `cooperation_ref`",
    },
    "register-rules": {
        "en": "the party that answers has to publish its register anew under this rule",
        "nl": "de bevraagde partij moet het register opnieuw publiceren volgens deze regel",
    },
    "count-distance": {
        "en": "two counts of nearly the same group tell about a few; ask about a group that differs more",
        "nl": "twee tellingen van bijna dezelfde groep verraden enkelen; vraag over een groep die meer verschilt",
    },
    "counts-per-epoch": {
        "en": "wait for the next period, or have the purpose signed anew with another `per_epoch`",
        "nl": "wacht op de volgende periode, of laat het doel opnieuw ondertekenen met een andere `per_epoch`",
    },
    "legal-basis": {
        "en": "keep answers no longer than the law allows, or name a law that is in force",
        "nl": "bewaar antwoorden niet langer dan de wet toelaat, of noem een wet die geldt",
    },
    "same-question": {
        "en": "use the answer that was given; the same question may be asked again in the next period",
        "nl": "gebruik het gegeven antwoord; dezelfde vraag kan weer in de volgende periode",
    },
    "nested-question": {
        "en": "ask at once about all subjects of a case, and not about parts of an earlier question",
        "nl": "vraag in een keer over alle onderwerpen van een zaak, en niet over delen van een eerdere vraag",
    },
    "asked-again": {
        "en": "leave out the subjects that you have asked about already; use the answers that were given",
        "nl": "laat de onderwerpen weg waarnaar al is gevraagd; gebruik de gegeven antwoorden",
    },
    "subjects-per-hour": {
        "en": "wait until an hour has passed, or ask about fewer; a large question is not to be split",
        "nl": "wacht tot er een uur voorbij is, of vraag over minder; een grote vraag mag niet worden gesplitst",
    },
    "subjects-per-epoch": {
        "en": "wait for the next period, or have the purpose signed anew with another bound",
        "nl": "wacht op de volgende periode, of laat het doel opnieuw ondertekenen met een andere grens",
    },
    "hits-per-hundred": {
        "en": "ask only about subjects of a running case; have the officer look at why so few are known",
        "nl": "vraag alleen over onderwerpen van een lopende zaak; laat nagaan waarom er zo weinig bekend zijn",
    },
    "standing-question": {
        "en": "wait for a newer register, or begin anew with `sluis-client watch add`: it is a new question then",
        "nl": "wacht op een nieuwer register, of begin opnieuw met `sluis-client watch add`: dat is een nieuwe vraag",
    },
}
