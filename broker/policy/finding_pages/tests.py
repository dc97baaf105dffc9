"""The officer's tests: what they must say, and what they do not hold."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="BECAUSE",
        severity="refuse",
        en=PageText(
            title="A case that does not say why, or says it of a permit",
            means="A case that expects a denial names the checks that deny; a permit names none.",
            matters="A denial for another reason than you meant would pass, and prove nothing.",
            mend="Write the checks under `because:`; `sluis policy explain` shows their names.",
        ),
        nl=PageText(
            title="Een geval dat niet zegt waarom, of dat bij een toestemming doet",
            means="Een geval dat weigering verwacht noemt de controles die weigeren; een toestemming noemt er geen.",
            matters="Een weigering om een andere reden dan u bedoelde zou slagen, en niets bewijzen.",
            mend="Schrijf de controles onder `because:`; `sluis policy explain` laat hun namen zien.",
        ),
        example="because: [attributes]",
    ),
    Page(
        code="GROUP_IN_QUESTION",
        severity="refuse",
        en=PageText(
            title="A group in a question",
            means="One party asks and one answers; a group is a list of parties.",
            matters="Each party gets a decision of its own.",
            mend="Name one party of the group.",
        ),
        nl=PageText(
            title="Een groep in een vraag",
            means="Een partij vraagt en een antwoordt; een groep is een lijst van partijen.",
            matters="Elke partij krijgt een eigen beslissing.",
            mend="Noem een partij van de groep.",
        ),
    ),
    Page(
        code="NOT_HELD",
        severity="refuse",
        en=PageText(
            title="A held line reads otherwise",
            means="A test holds a value under `holds:`, and the purpose now says something else.",
            matters="Somebody wanted to notice exactly this change.",
            mend="Mend the purpose; or, if the change is meant, the test.",
        ),
        nl=PageText(
            title="Een vastgehouden regel luidt anders",
            means="Een test houdt een waarde vast onder `holds:`, en het doel zegt nu iets anders.",
            matters="Iemand wilde juist deze verandering opmerken.",
            mend="Herstel het doel; of, als de verandering bedoeld is, de test.",
        ),
    ),
    Page(
        code="TEST_FAILED",
        severity="refuse",
        en=PageText(
            title="A test that fails",
            means="The purpose decides otherwise than the case expects, or for other reasons.",
            matters="Either the purpose allows what it should not, or the test says what nobody wants any more.",
            mend="Run the same question with `sluis policy explain`, and mend the one that is wrong.",
        ),
        nl=PageText(
            title="Een test die faalt",
            means="Het doel beslist anders dan het geval verwacht, of om andere redenen.",
            matters="Of het doel staat toe wat niet mag, of de test zegt wat niemand meer wil.",
            mend="Stel dezelfde vraag met `sluis policy explain`, en herstel wat er fout is.",
        ),
    ),
    Page(
        code="UNTESTED",
        severity="refuse",
        en=PageText(
            title="A purpose without tests",
            means="No case expects a denial; or the purpose is active and no case expects a permit.",
            matters="Nobody has shown what it allows and what it does not.",
            mend="Write cases, or let `sluis policy test --generate` write the boundaries and read them.",
        ),
        nl=PageText(
            title="Een doel zonder tests",
            means="Geen geval verwacht een weigering; of het doel is actief en geen geval verwacht toestemming.",
            matters="Niemand heeft laten zien wat het toestaat en wat niet.",
            mend="Schrijf gevallen, of laat `sluis policy test --generate` de grenzen schrijven en lees die.",
        ),
    ),
    Page(
        code="UNHELD",
        severity="answer",
        en=PageText(
            title="A line that no test holds",
            means="When this value is changed, every test still passes.",
            matters="Somebody could loosen this line by mistake and nobody would be told.",
            mend="Add a case at the boundary of the value, or hold it under `holds:`.",
        ),
        nl=PageText(
            title="Een regel die geen test vasthoudt",
            means="Als deze waarde verandert, slagen alle tests nog.",
            matters="Iemand kan deze regel bij vergissing verruimen zonder dat iemand het merkt.",
            mend="Voeg een geval toe op de grens van de waarde, of houd haar vast onder `holds:`.",
        ),
    ),
)
