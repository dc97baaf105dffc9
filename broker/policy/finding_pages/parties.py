"""Who may take part, and by which identifiers."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="ASKS_ITSELF",
        severity="refuse",
        en=PageText(
            title="A party on both sides",
            means="A party would both ask and answer, or be the principal of an answer that it gives itself.",
            matters="An exchange has two sides that hold each other in check.",
            mend="Write two purposes, one for each direction; check whether a group names the party.",
        ),
        nl=PageText(
            title="Een partij aan beide kanten",
            means=(
                "Een partij zou zowel vragen als antwoorden, of opdrachtgever zijn van een antwoord dat zij zelf geeft."
            ),
            matters="Een uitwisseling heeft twee kanten die elkaar in evenwicht houden.",
            mend="Schrijf twee doelen, een voor elke richting; ga na of een groep de partij noemt.",
        ),
    ),
    Page(
        code="PROCESSOR_DOES_NOT_ASK",
        severity="refuse",
        en=PageText(
            title="A processor that may not ask",
            means="`on_behalf_of` names a processor that does not stand under `asks`.",
            matters="A processor asks in its own name, for its principal; so it must be among those who may ask.",
            mend="Add it to `asks`, or name another processor.",
        ),
        nl=PageText(
            title="Een verwerker die niet mag vragen",
            means="`on_behalf_of` noemt een verwerker die niet onder `asks` staat.",
            matters=(
                "Een verwerker vraagt onder eigen naam, voor zijn opdrachtgever; hij moet dus bij de vragers staan."
            ),
            mend="Zet hem onder `asks`, of noem een andere verwerker.",
        ),
    ),
    Page(
        code="AUDITOR_TAKES_PART",
        severity="refuse",
        en=PageText(
            title="An auditor that takes part",
            means="A party that reads the exchange log would also ask or answer.",
            matters="Whoever checks an exchange cannot be part of it.",
            mend="Remove it from this purpose, or from `auditors:` in the catalogue.",
        ),
        nl=PageText(
            title="Een auditor die meedoet",
            means="Een partij die het uitwisselingslogboek leest zou ook vragen of antwoorden.",
            matters="Wie een uitwisseling controleert kan er geen deel van zijn.",
            mend="Haal haar uit dit doel, of uit `auditors:` in de catalogus.",
        ),
    ),
    Page(
        code="STEWARD_NOT_PARTICIPANT",
        severity="refuse",
        en=PageText(
            title="A steward that does not take part",
            means="The party that makes the key for the pseudonyms neither asks nor answers.",
            matters="Only who needs the key may hold it.",
            mend="Name a party that asks or answers.",
        ),
        nl=PageText(
            title="Een sleutelhouder die niet meedoet",
            means="De partij die de sleutel voor de pseudoniemen maakt, vraagt niet en antwoordt niet.",
            matters="Alleen wie de sleutel nodig heeft mag hem hebben.",
            mend="Noem een partij die vraagt of antwoordt.",
        ),
    ),
    Page(
        code="REPEATED",
        severity="refuse",
        en=PageText(
            title="Something listed twice",
            means="A word or a pair stands twice in one list.",
            matters="One of the two was probably meant to be another.",
            mend="Remove one, or correct it.",
        ),
        nl=PageText(
            title="Iets dat tweemaal genoemd is",
            means="Een woord of een paar staat tweemaal in een lijst.",
            matters="Een van de twee was waarschijnlijk anders bedoeld.",
            mend="Verwijder er een, of verbeter het.",
        ),
    ),
    Page(
        code="NAME_TAKEN",
        severity="refuse",
        en=PageText(
            title="A name that is taken",
            means="A group has the name of a party, or an attribute is called `hit` or `count`.",
            matters="One word, one meaning.",
            mend="Choose another name.",
        ),
        nl=PageText(
            title="Een naam die al bestaat",
            means="Een groep heet als een partij, of een gegeven heet `hit` of `count`.",
            matters="Een woord, een betekenis.",
            mend="Kies een andere naam.",
        ),
    ),
    Page(
        code="OIN_REPEATED",
        severity="refuse",
        en=PageText(
            title="Two parties with one OIN",
            means="An OIN or sub-OIN stands at two parties.",
            matters="A caller is known by the OIN in its certificate; it cannot be two parties.",
            mend="Look the numbers up in the OIN register.",
        ),
        nl=PageText(
            title="Twee partijen met hetzelfde OIN",
            means="Een OIN of sub-OIN staat bij twee partijen.",
            matters="Een vrager wordt herkend aan het OIN in zijn certificaat; hij kan geen twee partijen zijn.",
            mend="Zoek de nummers op in het OIN-register.",
        ),
    ),
    Page(
        code="KEY_REPEATED",
        severity="refuse",
        en=PageText(
            title="Two officers with one key",
            means="An officer has the public key of another.",
            matters="One person could then approve for both sides.",
            mend="Let each officer make a key, and enter each once.",
        ),
        nl=PageText(
            title="Twee functionarissen met dezelfde sleutel",
            means="Een functionaris heeft de publieke sleutel van een ander.",
            matters="Een mens zou dan voor beide kanten kunnen goedkeuren.",
            mend="Laat elke functionaris een eigen sleutel maken, en voer elke sleutel een keer in.",
        ),
    ),
    Page(
        code="NATIONAL_NUMBER_PRIVATE",
        severity="refuse",
        en=PageText(
            title="A national number with a private party",
            means="A private party would ask or answer by a number that is, or can hold, a BSN.",
            matters=(
                "Only those whom a law names may use the BSN (UAVG article 46; AVG article 87). This is fixed in "
                "the engine."
            ),
            mend="Remove the private party or the identifier.",
        ),
        nl=PageText(
            title="Een nationaal nummer bij een private partij",
            means="Een private partij zou vragen of antwoorden met een nummer dat een BSN is of kan bevatten.",
            matters=(
                "Alleen wie een wet aanwijst mag het BSN gebruiken (UAVG artikel 46; AVG artikel 87). Dit ligt vast"
                " in de motor."
            ),
            mend="Haal de private partij of de identificatie weg.",
        ),
    ),
    Page(
        code="NOT_BSN_ENTITLED",
        severity="refuse",
        en=PageText(
            title="A public party without a law on the BSN",
            means="The catalogue cites no law that lets this party use the BSN.",
            matters=(
                "Being public is not enough: the use of the BSN needs a ground in law (Wabb article 10, UAVG "
                "article 46)."
            ),
            mend="Cite the law under `bsn_entitled` of the party, after a lawyer has read it; or remove the party.",
        ),
        nl=PageText(
            title="Een publieke partij zonder wet over het BSN",
            means="De catalogus noemt geen wet die deze partij het BSN laat gebruiken.",
            matters=(
                "Publiek zijn is niet genoeg: het BSN gebruiken vraagt een grondslag in de wet (Wabb artikel 10, "
                "UAVG artikel 46)."
            ),
            mend=(
                "Noem de wet onder `bsn_entitled` van de partij, nadat een jurist haar heeft gelezen; of haal de "
                "partij weg."
            ),
        ),
    ),
    Page(
        code="PERSONS_NEED_OBLIVIOUS",
        severity="refuse",
        en=PageText(
            title="Natural persons need mode oblivious",
            means="The purpose is about natural persons, or uses a number that can be a BSN, and its mode is `keyed`.",
            matters=(
                "In mode keyed a party with the key can try all numbers. With persons that risk is too great (AVG "
                "article 25 and 32)."
            ),
            mend="Write `mode: oblivious`, and name its key services (docs/write-policy.md).",
        ),
        nl=PageText(
            title="Natuurlijke personen vragen modus oblivious",
            means=(
                "Het doel gaat over natuurlijke personen, of gebruikt een nummer dat een BSN kan zijn, en de modus "
                "is `keyed`."
            ),
            matters=(
                "In modus keyed kan een partij met de sleutel alle nummers proberen. Bij personen is dat risico te "
                "groot (AVG art. 25, 32)."
            ),
            mend="Schrijf `mode: oblivious`, en noem de sleuteldiensten (docs/write-policy.md).",
        ),
    ),
    Page(
        code="OTHER_SUBJECT_TYPE",
        severity="refuse",
        en=PageText(
            title="An identifier of something else",
            means="The purpose is about one kind of subject, and this identifier identifies another.",
            matters="A question about addresses by a number of persons would be a question about persons.",
            mend="Take an identifier of the subject, or write a purpose of its own.",
        ),
        nl=PageText(
            title="Een identificatie van iets anders",
            means="Het doel gaat over een soort onderwerp, en deze identificatie hoort bij een ander.",
            matters="Een vraag over adressen met een persoonsnummer zou een vraag over personen zijn.",
            mend="Neem een identificatie van het onderwerp, of schrijf een eigen doel.",
        ),
    ),
    Page(
        code="MATCH_KEY_UNKNOWN",
        severity="refuse",
        en=PageText(
            title="A match key that does not exist",
            means="`weakest_match_key` is higher than the number of match keys of the identifiers.",
            matters="The limit would limit nothing.",
            mend="Write at most the number in the message.",
        ),
        nl=PageText(
            title="Een vergelijkingssleutel die niet bestaat",
            means="`weakest_match_key` is hoger dan het aantal vergelijkingssleutels van de identificaties.",
            matters="De grens zou niets begrenzen.",
            mend="Schrijf hoogstens het getal in de melding.",
        ),
    ),
)
