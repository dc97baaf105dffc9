"""Key services of mode oblivious: how many, whose, their public keys, and how much they evaluate."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

_LINE = (
    "pseudonyms: {mode: oblivious, epoch: month, steward: nla, key_services: [oost, sluis], "
    "public_keys: {2026-11: {oost: <64 hex digits>, sluis: <64 hex digits>}}}"
)

PAGES = (
    Page(
        code="KEY_SERVICES_TOO_FEW",
        severity="refuse",
        en=PageText(
            title="Fewer than two key services",
            means="The purpose is in mode oblivious and names fewer than two key services.",
            matters="With one service, its operator together with any participant can try all numbers.",
            mend="Name two services of the catalogue under `key_services`, run by two operators.",
        ),
        nl=PageText(
            title="Minder dan twee sleuteldiensten",
            means="Het doel is in modus oblivious en noemt minder dan twee sleuteldiensten.",
            matters="Met één dienst kan de beheerder ervan, samen met een deelnemer, alle nummers proberen.",
            mend="Noem onder `key_services` twee diensten uit de catalogus, van twee beheerders.",
        ),
        example=_LINE,
    ),
    Page(
        code="KEY_SERVICES_ONE_OPERATOR",
        severity="refuse",
        en=PageText(
            title="All key services of one operator",
            means="Every key service of this purpose is run by the same operator, the broker or another.",
            matters="That operator holds all keys, so that a second service protects nothing.",
            mend="Name at least one service of another operator.",
        ),
        nl=PageText(
            title="Alle sleuteldiensten van één beheerder",
            means="Elke sleuteldienst van dit doel heeft dezelfde beheerder, de tussenpersoon of een ander.",
            matters="Die beheerder heeft alle sleutels, zodat een tweede dienst niets beschermt.",
            mend="Noem ten minste één dienst van een andere beheerder.",
        ),
        example=_LINE,
    ),
    Page(
        code="KEY_SERVICE_OF_PARTICIPANT",
        severity="answer",
        en=PageText(
            title="No independent key service",
            means="Each key service is run by the broker or by a party that asks or answers under this purpose.",
            matters="Such a party holds K as well: together with the broker it can try all numbers.",
            mend="Name a service whose operator takes no part in this purpose, or say why that cannot be.",
        ),
        nl=PageText(
            title="Geen onafhankelijke sleuteldienst",
            means="Elke sleuteldienst is van de tussenpersoon of van een partij die bij dit doel vraagt of antwoordt.",
            matters="Zo'n partij heeft ook K: samen met de tussenpersoon kan zij alle nummers proberen.",
            mend="Noem een dienst waarvan de beheerder niet meedoet aan dit doel, of zeg waarom dat niet kan.",
        ),
    ),
    Page(
        code="NO_EVALUATION_LIMIT",
        severity="refuse",
        en=PageText(
            title="No limit on evaluations",
            means="The purpose is in mode oblivious and has no `evaluations_per_epoch`.",
            matters="Key services stop guessing only by counting. Without a limit a party can try all numbers.",
            mend="Write under `limits` how many values a party needs in one epoch, and not more.",
        ),
        nl=PageText(
            title="Geen grens aan berekeningen",
            means="Het doel is in modus oblivious en heeft geen `evaluations_per_epoch`.",
            matters="Sleuteldiensten houden raden tegen door te tellen. Zonder grens kan een partij alles proberen.",
            mend="Schrijf onder `limits` hoeveel waarden een partij in een periode nodig heeft, en niet meer.",
        ),
        example="limits: {subjects_per_request: 25, requests_per_day: 100, evaluations_per_epoch: 5000}",
    ),
    Page(
        code="MANY_EVALUATIONS",
        severity="answer",
        en=PageText(
            title="A limit within which every BSN can be tried",
            means="One party may have so many values evaluated that within ten years it can try every BSN.",
            matters="The limit is what keeps a dishonest participant from enumerating (AVG article 25 and 32).",
            mend="Lower `evaluations_per_epoch` to what the work needs, or say why so many are needed.",
        ),
        nl=PageText(
            title="Een grens waarbinnen elk BSN te proberen is",
            means="Eén partij mag zoveel waarden laten berekenen dat zij binnen tien jaar elk BSN kan proberen.",
            matters="De grens houdt een oneerlijke deelnemer van opsommen af (AVG artikel 25 en 32).",
            mend="Verlaag `evaluations_per_epoch` tot wat het werk vraagt, of zeg waarom er zoveel nodig zijn.",
        ),
    ),
    Page(
        code="OBLIVIOUS_ONLY",
        severity="refuse",
        en=PageText(
            title="Key services in mode keyed",
            means="Key services, their public keys or a limit on evaluations stand in a purpose of mode keyed.",
            matters="Nothing would be evaluated, and whoever signs would think that it is.",
            mend="Remove the key, or write `mode: oblivious`.",
        ),
        nl=PageText(
            title="Sleuteldiensten in modus keyed",
            means="Sleuteldiensten, hun sleutels of een grens aan berekeningen staan in een doel van modus keyed.",
            matters="Er zou niets berekend worden, terwijl wie ondertekent denkt van wel.",
            mend="Haal de regel weg, of schrijf `mode: oblivious`.",
        ),
    ),
    Page(
        code="EPOCH_NAME",
        severity="refuse",
        en=PageText(
            title="Not an epoch of this purpose",
            means="Under `public_keys` stands a period without such a name, or of another length than `epoch` says.",
            matters="The keys below it would never be used.",
            mend="Write 2026-11 for a month, 2026Q4 for a quarter, 2026 for a year.",
        ),
        nl=PageText(
            title="Geen periode van dit doel",
            means="Onder `public_keys` staat een periode die niet zo heet, of van andere lengte is dan `epoch` zegt.",
            matters="De sleutels eronder zouden nooit gebruikt worden.",
            mend="Schrijf 2026-11 voor een maand, 2026Q4 voor een kwartaal, 2026 voor een jaar.",
        ),
    ),
    Page(
        code="SERVICE_KEY_SHAPE",
        severity="refuse",
        en=PageText(
            title="Not a public key of a key service",
            means="The value is not 64 lower-case hex digits, or those are not an element of the group.",
            matters="Every evaluation would be refused: clients check each proof against this key.",
            mend="Copy the line that `sluis key-service key make` printed.",
        ),
        nl=PageText(
            title="Geen publieke sleutel van een sleuteldienst",
            means="De waarde heeft geen 64 hexadecimale kleine cijfers, of is geen element van de groep.",
            matters="Elke berekening zou geweigerd worden: cliënten toetsen elk bewijs aan deze sleutel.",
            mend="Neem de regel over die `sluis key-service key make` afdrukte.",
        ),
    ),
    Page(
        code="SERVICE_KEYS_INCOMPLETE",
        severity="refuse",
        en=PageText(
            title="An epoch without the key of each service",
            means="Under an epoch in `public_keys` a key service is missing, or stands one that is not named.",
            matters="A pseudonym needs all services, and no other; the epoch could not be used.",
            mend="Write the public key of every service under `key_services`, and of no other.",
        ),
        nl=PageText(
            title="Een periode zonder de sleutel van elke dienst",
            means="Onder een periode in `public_keys` mist een sleuteldienst, of staat er een die niet genoemd is.",
            matters="Een pseudoniem vraagt alle diensten, en geen andere; de periode zou onbruikbaar zijn.",
            mend="Schrijf de publieke sleutel van elke dienst onder `key_services`, en van geen andere.",
        ),
    ),
    Page(
        code="SERVICE_KEY_REPEATED",
        severity="refuse",
        en=PageText(
            title="A key service key used twice",
            means="One public key stands under two epochs, purposes or services.",
            matters="Pseudonyms of two purposes or periods could be joined, or two services are one.",
            mend="Let the service make a key of its own for each purpose and epoch.",
        ),
        nl=PageText(
            title="Een sleutel van een sleuteldienst twee keer gebruikt",
            means="Eén publieke sleutel staat onder twee perioden, doelen of diensten.",
            matters="Pseudoniemen van twee doelen of perioden zouden te koppelen zijn, of twee diensten zijn er één.",
            mend="Laat de dienst voor elk doel en elke periode een eigen sleutel maken.",
        ),
    ),
    Page(
        code="SERVICE_KEYS_MISSING",
        severity="refuse",
        en=PageText(
            title="No public keys for the epoch that runs",
            means="The purpose is in mode oblivious, and `public_keys` has nothing for the present epoch.",
            matters="Clients take no key from a service on trust, so nobody can make pseudonyms.",
            mend="Let each service make its key, write the lines here, and sign a new revision.",
        ),
        nl=PageText(
            title="Geen publieke sleutels voor de lopende periode",
            means="Het doel is in modus oblivious, en `public_keys` heeft niets voor de huidige periode.",
            matters="Cliënten nemen geen sleutel op goed geloof aan, dus niemand kan pseudoniemen maken.",
            mend="Laat elke dienst haar sleutel maken, schrijf de regels hier, en onderteken een nieuwe versie.",
        ),
        example=_LINE,
    ),
    Page(
        code="SERVICE_KEYS_DUE",
        severity="note",
        en=PageText(
            title="No public keys yet for the next epoch",
            means="The next epoch begins within two weeks, and `public_keys` has nothing for it.",
            matters="From its first day nobody could make pseudonyms under this purpose.",
            mend="Let each service make its key for it, and sign a revision in time.",
        ),
        nl=PageText(
            title="Nog geen publieke sleutels voor de volgende periode",
            means="De volgende periode begint binnen twee weken, en `public_keys` heeft er niets voor.",
            matters="Vanaf de eerste dag zou niemand onder dit doel pseudoniemen kunnen maken.",
            mend="Laat elke dienst er haar sleutel voor maken, en onderteken op tijd een versie.",
        ),
    ),
)
