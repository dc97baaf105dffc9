"""What may be learned, and within which bounds."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="NOTHING_TO_LEARN",
        severity="refuse",
        en=PageText(
            title="Nothing may be learned",
            means="No hit, no attribute and no count: an answer could hold nothing.",
            matters="Processing without an outcome is not necessary (AVG article 5(1)(c)).",
            mend="Write what may be learned, or remove the purpose.",
        ),
        nl=PageText(
            title="Er valt niets te weten te komen",
            means="Geen treffer, geen gegeven en geen aantal: een antwoord kan niets bevatten.",
            matters="Verwerken zonder uitkomst is niet noodzakelijk (AVG artikel 5 lid 1 onder c).",
            mend="Schrijf wat geleerd mag worden, of verwijder het doel.",
        ),
    ),
    Page(
        code="HIT_IMPLIED",
        severity="refuse",
        en=PageText(
            title="Attributes without `hit: true`",
            means="Attributes may be learned, and it is not said that a hit may be.",
            matters="An attribute shows that there is a record; that must stand in the file and be signed.",
            mend="Write `hit: true` under `may_learn`.",
        ),
        nl=PageText(
            title="Gegevens zonder `hit: true`",
            means="Er mogen gegevens geleerd worden, en er staat niet dat een treffer dat mag.",
            matters=(
                "Een gegeven laat zien dat er een registratie is; dat moet in het bestand staan en ondertekend zijn."
            ),
            mend="Schrijf `hit: true` onder `may_learn`.",
        ),
    ),
    Page(
        code="HOLDER_DOES_NOT_ANSWER",
        severity="refuse",
        en=PageText(
            title="Nobody who answers holds this attribute",
            means="The catalogue says who holds the attribute, and none of those is asked.",
            matters="The line would promise what cannot come, or be filled from a register that should not hold it.",
            mend="Add a holder to `answers`, or leave the attribute out.",
        ),
        nl=PageText(
            title="Niemand die antwoordt heeft dit gegeven",
            means="De catalogus zegt wie het gegeven heeft, en aan geen van hen wordt gevraagd.",
            matters=(
                "De regel zou beloven wat niet kan komen, of gevuld worden uit een register dat het niet hoort te "
                "hebben."
            ),
            mend="Zet een houder onder `answers`, of laat het gegeven weg.",
        ),
    ),
    Page(
        code="GROUP_TOO_SMALL",
        severity="refuse",
        en=PageText(
            title="A smallest group below the guardrail",
            means="Counts would be told of groups that the catalogue calls too small.",
            matters="The number of a small group tells about the one subject in it.",
            mend="Write the number of the guardrail or more.",
        ),
        nl=PageText(
            title="Een kleinste groep onder de vangrail",
            means="Er zouden aantallen worden gegeven van groepen die de catalogus te klein noemt.",
            matters="Het aantal van een kleine groep vertelt iets over die ene erin.",
            mend="Schrijf het getal van de vangrail of meer.",
        ),
    ),
    Page(
        code="BANDS",
        severity="refuse",
        en=PageText(
            title="Bands that do not fit",
            means="Bands are lower bounds in ascending order, the first equal to `min_group`.",
            matters="A band below the smallest group would tell what must be withheld.",
            mend="Write them as in the example.",
        ),
        nl=PageText(
            title="Klassen die niet passen",
            means="Klassen zijn ondergrenzen in oplopende volgorde, de eerste gelijk aan `min_group`.",
            matters="Een klasse onder de kleinste groep zou vertellen wat achterwege moet blijven.",
            mend="Schrijf ze zoals in het voorbeeld.",
        ),
        example="count: {min_group: 5, bands: [5, 10, 25, 50], per_epoch: 12}",
    ),
    Page(
        code="CONTRADICTION",
        severity="refuse",
        en=PageText(
            title="Two lines that contradict each other",
            means="Natural persons are both excluded and answered.",
            matters="Nobody could tell which of the two was signed.",
            mend="Keep one of the two lines.",
        ),
        nl=PageText(
            title="Twee regels die elkaar tegenspreken",
            means="Natuurlijke personen worden zowel uitgesloten als beantwoord.",
            matters="Niemand kan zeggen welke van de twee ondertekend is.",
            mend="Laat een van beide regels staan.",
        ),
    ),
    Page(
        code="CASE_PATTERN",
        severity="refuse",
        en=PageText(
            title="The form of case numbers is missing or wrong",
            means="A purpose needs case numbers of a party that has no pattern, or a pattern cannot be read.",
            matters="Without a form any text would pass for a case number.",
            mend="Write the pattern with fixed characters, [0-9]{4}, {1,6} and ?.",
        ),
        nl=PageText(
            title="De vorm van zaaknummers ontbreekt of klopt niet",
            means="Een doel vraagt zaaknummers van een partij zonder patroon, of een patroon is niet te lezen.",
            matters="Zonder vorm zou elke tekst voor een zaaknummer doorgaan.",
            mend="Schrijf het patroon met vaste tekens, [0-9]{4}, {1,6} en ?.",
        ),
        example='case_number: "NLA-[0-9]{4}-[0-9]{4,6}"',
    ),
    Page(
        code="CASE_PATTERN_FITS_BSN",
        severity="refuse",
        en=PageText(
            title="A BSN would fit in a case number",
            means="The pattern allows eight or more digits in a row.",
            matters="Case numbers are logged. A BSN that somebody types there would be logged for years.",
            mend="Break the digits up, for instance with a hyphen.",
        ),
        nl=PageText(
            title="Een BSN zou in een zaaknummer passen",
            means="Het patroon laat acht of meer cijfers achter elkaar toe.",
            matters="Zaaknummers komen in het logboek. Een BSN dat iemand daar intikt zou er jaren in staan.",
            mend="Onderbreek de cijfers, bijvoorbeeld met een streepje.",
        ),
    ),
    Page(
        code="CODES",
        severity="refuse",
        en=PageText(
            title="A code list without type code, or the reverse",
            means="An attribute has `codes` exactly when its type is `code`.",
            matters="Values outside the list are refused; so it must be clear whether there is one.",
            mend="Write `type: code`, or remove `codes`.",
        ),
        nl=PageText(
            title="Een codelijst zonder type code, of andersom",
            means="Een gegeven heeft `codes` precies dan als het type `code` is.",
            matters="Waarden buiten de lijst worden geweigerd; dus moet duidelijk zijn of er een is.",
            mend="Schrijf `type: code`, of verwijder `codes`.",
        ),
    ),
    Page(
        code="WIDTH_TOO_SMALL",
        severity="refuse",
        en=PageText(
            title="A width in which the values do not fit",
            means="Sealed values are padded to one width, and some value is longer.",
            matters="The length of a sealed value must tell nothing about it.",
            mend="Write the width in the message or more.",
        ),
        nl=PageText(
            title="Een breedte waarin de waarden niet passen",
            means="Verzegelde waarden worden tot een breedte aangevuld, en een waarde is langer.",
            matters="De lengte van een verzegelde waarde mag niets verraden.",
            mend="Schrijf de breedte in de melding of meer.",
        ),
    ),
    Page(
        code="ENDS_BEFORE_START",
        severity="refuse",
        en=PageText(
            title="The last day lies before the first",
            means="A purpose would hold on no day.",
            matters="It would deny everything, and nobody means that.",
            mend="Swap or correct the days.",
        ),
        nl=PageText(
            title="De laatste dag ligt voor de eerste",
            means="Een doel zou op geen enkele dag gelden.",
            matters="Het zou alles weigeren, en dat bedoelt niemand.",
            mend="Verwissel of verbeter de dagen.",
        ),
    ),
    Page(
        code="HOLDS_TOO_LONG",
        severity="refuse",
        en=PageText(
            title="A purpose that holds for too long",
            means="It holds for more days than the guardrail of the catalogue.",
            matters="A purpose is judged anew from time to time.",
            mend="Let it end sooner, and renew it when it does.",
        ),
        nl=PageText(
            title="Een doel dat te lang geldt",
            means="Het geldt meer dagen dan de vangrail van de catalogus.",
            matters="Een doel wordt van tijd tot tijd opnieuw beoordeeld.",
            mend="Laat het eerder eindigen, en vernieuw het dan.",
        ),
    ),
    Page(
        code="RETENTION_ABOVE_BASIS",
        severity="refuse",
        en=PageText(
            title="Kept longer than is allowed",
            means=(
                "Answers are kept longer than the law of this purpose allows, or accountability data longer than "
                "the guardrail."
            ),
            matters="Data are kept no longer than is necessary (AVG article 5(1)(e)).",
            mend="Write the number of days in the message or fewer.",
        ),
        nl=PageText(
            title="Langer bewaard dan mag",
            means=(
                "Antwoorden worden langer bewaard dan de wet van dit doel toelaat, of verantwoordingsgegevens "
                "langer dan de vangrail."
            ),
            matters="Gegevens worden niet langer bewaard dan nodig is (AVG artikel 5 lid 1 onder e).",
            mend="Schrijf het aantal dagen in de melding of minder.",
        ),
    ),
    Page(
        code="LIMIT_ABOVE_GUARDRAIL",
        severity="refuse",
        en=PageText(
            title="A limit above the guardrail",
            means="More subjects may be asked about at once than the catalogue allows.",
            matters="The guardrail was agreed for all purposes.",
            mend="Ask about fewer at a time.",
        ),
        nl=PageText(
            title="Een grens boven de vangrail",
            means="Er mag over meer onderwerpen tegelijk gevraagd worden dan de catalogus toelaat.",
            matters="De vangrail is voor alle doelen afgesproken.",
            mend="Vraag over minder tegelijk.",
        ),
    ),
    Page(
        code="NO_DPIA",
        severity="refuse",
        en=PageText(
            title="An active purpose without a DPIA",
            means="An active purpose names no data protection impact assessment.",
            matters="The assessment comes before the processing (AVG article 35(1)).",
            mend="Add `dpia:` with one of the catalogue, or make it a draft.",
        ),
        nl=PageText(
            title="Een actief doel zonder DPIA",
            means="Een actief doel noemt geen gegevensbeschermingseffectbeoordeling.",
            matters="De beoordeling komt voor de verwerking (AVG artikel 35 lid 1).",
            mend="Voeg `dpia:` toe met een uit de catalogus, of maak er een concept van.",
        ),
    ),
    Page(
        code="SHADOW_STATE",
        severity="refuse",
        en=PageText(
            title="A shadow in the wrong state",
            means="`shadow_of` stands in a purpose that is neither a draft nor in shadow.",
            matters="A shadow is logged and never enforced; a purpose that is active enforces.",
            mend="Write `state: shadow`, or remove `shadow_of`.",
        ),
        nl=PageText(
            title="Een schaduw in de verkeerde staat",
            means="`shadow_of` staat in een doel dat geen concept en geen schaduw is.",
            matters="Een schaduw wordt gelogd en nooit toegepast; een actief doel wordt toegepast.",
            mend="Schrijf `state: shadow`, of verwijder `shadow_of`.",
        ),
    ),
)
