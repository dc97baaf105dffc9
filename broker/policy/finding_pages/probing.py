"""Findings on guards against probing."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES: tuple[Page, ...] = (
    Page(
        code="PROBING_EMPTY",
        severity="refuse",
        en=PageText(
            title="Guards that guard nothing",
            means="`probing:` stands in the file without a guard under it.",
            matters="A reader would think that something is watched.",
            mend="Name a guard, such as `same_question: {at_most: 3, then: report}`, or leave the key out.",
        ),
        nl=PageText(
            title="Bewaking die niets bewaakt",
            means="`probing:` staat in het bestand zonder een grens eronder.",
            matters="Een lezer zou denken dat er op iets wordt gelet.",
            mend="Noem een grens, zoals `same_question: {at_most: 3, then: report}`, of laat de sleutel weg.",
        ),
    ),
    Page(
        code="PROBING_TOO_LARGE",
        severity="refuse",
        en=PageText(
            title="Guards on questions that are too large",
            means="Guards against probing compare the subjects of a question with earlier ones. Questions may be "
            "larger here than can be compared while others wait.",
            matters="Guards are for questions about single people, not for bulk.",
            mend="Lower `limits.subjects_per_request` to 1,000 or less, or leave `probing` out.",
        ),
        nl=PageText(
            title="Bewaking van te grote vragen",
            means="De bewaking tegen uitvragen vergelijkt de onderwerpen van een vraag met eerdere. Vragen mogen hier "
            "groter zijn dan kan worden vergeleken terwijl anderen wachten.",
            matters="De bewaking is voor vragen over enkelen, niet voor grote bestanden.",
            mend="Verlaag `limits.subjects_per_request` tot 1.000 of minder, of laat `probing` weg.",
        ),
    ),
    Page(
        code="PROBING_BELOW_LIMIT",
        severity="refuse",
        en=PageText(
            title="A guard below what one question may hold",
            means="The bound on subjects in an hour or period is lower than the number that one question may have.",
            matters="A question that the limits allow would be refused or reported at once.",
            mend="Raise the bound, or lower `limits.subjects_per_request`.",
        ),
        nl=PageText(
            title="Een grens onder wat een vraag mag bevatten",
            means="De grens aan onderwerpen in een uur of periode is lager dan wat een enkele vraag mag hebben.",
            matters="Een vraag die binnen de limieten valt zou meteen worden geweigerd of gemeld.",
            mend="Verhoog de grens, of verlaag `limits.subjects_per_request`.",
        ),
    ),
    Page(
        code="PROBING_WITHOUT_HITS",
        severity="refuse",
        en=PageText(
            title="A guard on hits where none are given",
            means="The share of hits is guarded, and this purpose gives no hits row by row.",
            matters="The guard would never find anything.",
            mend="Leave `hits_per_hundred` out.",
        ),
        nl=PageText(
            title="Een grens aan treffers die niet worden gegeven",
            means="Op het deel treffers wordt gelet, en dit doel geeft geen treffers per onderwerp.",
            matters="De bewaking zou nooit iets vinden.",
            mend="Laat `hits_per_hundred` weg.",
        ),
    ),
)
