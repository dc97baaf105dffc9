"""Reasons, days and laws: why a purpose is there, for how long, and on what it rests."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="REASON_SHORT",
        severity="answer",
        en=PageText(
            title="A reason that says little",
            means="`because:` has fewer than twelve words.",
            matters=(
                "Whoever reads the register must understand why the exchange is necessary (AVG article 5(1)(b) and "
                "5(2))."
            ),
            mend="Say what the asker must decide, and why it cannot without this answer.",
        ),
        nl=PageText(
            title="Een reden die weinig zegt",
            means="`because:` heeft minder dan twaalf woorden.",
            matters=(
                "Wie het register leest moet begrijpen waarom de uitwisseling nodig is (AVG artikel 5 lid 1 onder b"
                " en lid 2)."
            ),
            mend="Zeg wat de vrager moet beslissen, en waarom dat niet kan zonder dit antwoord.",
        ),
    ),
    Page(
        code="REASON_COPIED",
        severity="answer",
        en=PageText(
            title="A reason copied from another purpose",
            means="`because:` is that of another purpose, word for word.",
            matters="Either the two are one purpose, or one of the two was not thought through.",
            mend="Say what differs, or make it one purpose.",
        ),
        nl=PageText(
            title="Een reden overgenomen van een ander doel",
            means="`because:` is woord voor woord die van een ander doel.",
            matters="Of de twee zijn een doel, of over een van de twee is niet nagedacht.",
            mend="Zeg wat er verschilt, of maak er een doel van.",
        ),
    ),
    Page(
        code="NECESSITY_SHORT",
        severity="answer",
        en=PageText(
            title="A necessity that is no sentence",
            means="Behind an attribute stand fewer than three words.",
            matters="Each attribute must be necessary by itself (AVG article 5(1)(c)).",
            mend="Say what the asker does differently when it knows this.",
        ),
        nl=PageText(
            title="Een noodzaak die geen zin is",
            means="Achter een gegeven staan minder dan drie woorden.",
            matters="Elk gegeven moet op zichzelf noodzakelijk zijn (AVG artikel 5 lid 1 onder c).",
            mend="Zeg wat de vrager anders doet als hij dit weet.",
        ),
    ),
    Page(
        code="NECESSITY_COPIED",
        severity="answer",
        en=PageText(
            title="One necessity for two attributes",
            means="The words behind two attributes of a purpose are the same.",
            matters="If one reason serves for both, one of the two may do.",
            mend="Say why this one is needed beside the other, or leave it out.",
        ),
        nl=PageText(
            title="Een noodzaak voor twee gegevens",
            means="De woorden achter twee gegevens van een doel zijn gelijk.",
            matters="Als een reden voor beide dient, is een van de twee misschien genoeg.",
            mend="Zeg waarom dit gegeven nodig is naast het andere, of laat het weg.",
        ),
    ),
    Page(
        code="NO_USE_LIMIT",
        severity="answer",
        en=PageText(
            title="It is not said what answers may be used for",
            means="`use_only_for` is missing in a purpose that is active or in shadow.",
            matters=(
                "Data may not be used further in a way that does not fit the purpose (AVG article 5(1)(b)); the "
                "asker must be told."
            ),
            mend="Add `use_only_for:` in Dutch and English.",
        ),
        nl=PageText(
            title="Er staat niet waarvoor antwoorden gebruikt mogen worden",
            means="`use_only_for` ontbreekt in een doel dat actief of in schaduw is.",
            matters=(
                "Gegevens mogen niet verder worden gebruikt op een wijze die niet bij het doel past (AVG artikel 5 "
                "lid 1 onder b)."
            ),
            mend="Voeg `use_only_for:` toe in het Nederlands en het Engels.",
        ),
    ),
    Page(
        code="ENDED",
        severity="answer",
        en=PageText(
            title="A purpose that has ended",
            means="The last day has passed, and everything is denied.",
            matters="Whoever still asks is denied without understanding why; and the register lists what is no more.",
            mend="Renew it with a new last day, or write `state: withdrawn`.",
        ),
        nl=PageText(
            title="Een doel dat is afgelopen",
            means="De laatste dag is voorbij, en alles wordt geweigerd.",
            matters=(
                "Wie nog vraagt wordt geweigerd zonder te begrijpen waarom; en het register noemt wat er niet meer is."
            ),
            mend="Vernieuw het met een nieuwe laatste dag, of schrijf `state: withdrawn`.",
        ),
    ),
    Page(
        code="ENDS_SOON",
        severity="answer",
        en=PageText(
            title="A purpose that ends soon",
            means="The last day is less than 60 days away.",
            matters="Judging, testing and signing anew takes time; without it the work stops.",
            mend="Judge whether it is still needed; then sign a later last day, or let it end.",
        ),
        nl=PageText(
            title="Een doel dat binnenkort afloopt",
            means="De laatste dag is minder dan 60 dagen weg.",
            matters="Opnieuw beoordelen, testen en ondertekenen kost tijd; zonder dat stopt het werk.",
            mend="Beoordeel of het nog nodig is; onderteken dan een latere laatste dag, of laat het aflopen.",
        ),
    ),
    Page(
        code="HOLDS_LONG",
        severity="answer",
        en=PageText(
            title="A purpose that holds for more than three years",
            means="From the first to the last day is more than three years.",
            matters="Necessity changes; three years without a new judgement is long.",
            mend="Let it end sooner, and renew it when it does.",
        ),
        nl=PageText(
            title="Een doel dat langer dan drie jaar geldt",
            means="Van de eerste tot de laatste dag is meer dan drie jaar.",
            matters="Noodzaak verandert; drie jaar zonder nieuwe beoordeling is lang.",
            mend="Laat het eerder eindigen, en vernieuw het dan.",
        ),
    ),
    Page(
        code="DPIA_UNKNOWN",
        severity="refuse",
        en=PageText(
            title="A DPIA that the catalogue does not know",
            means="The purpose names an assessment that does not stand under `dpias:` in the catalogue.",
            matters="A number that nobody can look up shows nothing (AVG article 35 and 5(2)).",
            mend="Add it to the catalogue with its days, or name one that is there.",
        ),
        nl=PageText(
            title="Een DPIA die de catalogus niet kent",
            means="Het doel noemt een beoordeling die niet onder `dpias:` in de catalogus staat.",
            matters="Een nummer dat niemand kan opzoeken bewijst niets (AVG artikel 35 en 5 lid 2).",
            mend="Zet haar met haar dagen in de catalogus, of noem er een die er staat.",
        ),
        example="DPIA-2026-014: {title: {nl: ..., en: ...}, decided_on: 2026-01-15, review_by: 2029-01-15}",
    ),
    Page(
        code="DPIA_NOT_YET",
        severity="refuse",
        en=PageText(
            title="A DPIA that is still to be decided",
            means="The purpose begins, or has begun, before its assessment is decided.",
            matters="The assessment comes before the processing (AVG article 35(1)).",
            mend="Wait for the decision, or correct its day in the catalogue; keep the purpose a draft meanwhile.",
        ),
        nl=PageText(
            title="Een DPIA waarover nog niet is beslist",
            means="Het doel begint, of is begonnen, voordat over de beoordeling is beslist.",
            matters="De beoordeling komt voor de verwerking (AVG artikel 35 lid 1).",
            mend="Wacht op het besluit, of verbeter de dag in de catalogus; houd het doel intussen een concept.",
        ),
    ),
    Page(
        code="DPIA_OVERDUE",
        severity="answer",
        en=PageText(
            title="A DPIA that was due for review",
            means="The day by which the assessment was to be reviewed has passed.",
            matters="An assessment is reviewed when the risk may have changed (AVG article 35(11)).",
            mend="Review it, and write the new days in the catalogue.",
        ),
        nl=PageText(
            title="Een DPIA die herzien had moeten zijn",
            means="De dag waarop de beoordeling herzien moest zijn is voorbij.",
            matters="Een beoordeling wordt herzien als het risico veranderd kan zijn (AVG artikel 35 lid 11).",
            mend="Herzie haar, en schrijf de nieuwe dagen in de catalogus.",
        ),
    ),
    Page(
        code="DPIA_DUE_SOON",
        severity="note",
        en=PageText(
            title="A DPIA that is soon due for review",
            means="The day by which the assessment is to be reviewed is less than 60 days away.",
            matters="A review takes weeks, and afterwards the purpose has to be judged by it.",
            mend="Plan the review.",
        ),
        nl=PageText(
            title="Een DPIA die binnenkort herzien moet worden",
            means="De dag waarop de beoordeling herzien moet zijn is minder dan 60 dagen weg.",
            matters="Een herziening kost weken, en daarna moet het doel eraan worden getoetst.",
            mend="Plan de herziening.",
        ),
    ),
    Page(
        code="BASIS_NEVER_HOLDS",
        severity="refuse",
        en=PageText(
            title="A law that holds on no day of the purpose",
            means="The law begins after the purpose ends, or ended before it begins.",
            matters="Without a law in force nothing is lawful (AVG article 6), and the broker denies everything.",
            mend="Name the law that holds on those days, or correct the days.",
        ),
        nl=PageText(
            title="Een wet die op geen dag van het doel geldt",
            means="De wet begint nadat het doel eindigt, of eindigde voordat het begint.",
            matters="Zonder geldende wet is niets rechtmatig (AVG artikel 6), en de broker weigert alles.",
            mend="Noem de wet die op die dagen geldt, of verbeter de dagen.",
        ),
    ),
    Page(
        code="BASIS_ENDED",
        severity="refuse",
        en=PageText(
            title="A law that has ended",
            means="The last day of the law lies in the past.",
            matters="Without a law in force nothing is lawful (AVG article 6), and the broker denies everything.",
            mend="Name the law that holds now, or withdraw the purpose.",
        ),
        nl=PageText(
            title="Een wet die is vervallen",
            means="De laatste dag van de wet ligt in het verleden.",
            matters="Zonder geldende wet is niets rechtmatig (AVG artikel 6), en de broker weigert alles.",
            mend="Noem de wet die nu geldt, of trek het doel in.",
        ),
    ),
    Page(
        code="BASIS_SHORTER",
        severity="answer",
        en=PageText(
            title="A law that holds for a part of the purpose",
            means="On some days of the purpose its law is not in force.",
            matters="On those days the broker denies everything; the people who ask should know.",
            mend="Let the purpose hold on the days of the law only.",
        ),
        nl=PageText(
            title="Een wet die voor een deel van het doel geldt",
            means="Op sommige dagen van het doel geldt zijn wet niet.",
            matters="Op die dagen weigert de broker alles; wie vraagt hoort dat te weten.",
            mend="Laat het doel alleen op de dagen van de wet gelden.",
        ),
    ),
    Page(
        code="BASIS_UNCONFIRMED",
        severity="note",
        en=PageText(
            title="Laws that are to be confirmed",
            means="Active purposes rest on laws that say `to_be_confirmed`.",
            matters="A citation that no lawyer has read is a guess (AVG article 6).",
            mend="Let a lawyer read each citation, then remove its `to_be_confirmed:`.",
        ),
        nl=PageText(
            title="Wetten die nog bevestigd moeten worden",
            means="Actieve doelen rusten op wetten waar `to_be_confirmed` bij staat.",
            matters="Een verwijzing die geen jurist heeft gelezen is een gok (AVG artikel 6).",
            mend="Laat een jurist elke verwijzing lezen, en haal dan `to_be_confirmed:` weg.",
        ),
    ),
)
