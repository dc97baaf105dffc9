"""The form of a file: what makes that people and machines read the same thing."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="UNREADABLE",
        severity="refuse",
        en=PageText(
            title="A file that cannot be opened",
            means="The file stands in the folder, and the computer refuses to open it.",
            matters="A set is read whole or not at all: a file that is left out could change what the rest means.",
            mend="Check that you may read the file, and that it is a file and no folder.",
        ),
        nl=PageText(
            title="Een bestand dat niet te openen is",
            means="Het bestand staat in de map, en de computer weigert het te openen.",
            matters=(
                "Een set wordt in zijn geheel gelezen of niet: een bestand dat ontbreekt kan veranderen wat de rest"
                " betekent."
            ),
            mend="Ga na of u het bestand mag lezen, en of het een bestand is en geen map.",
        ),
    ),
    Page(
        code="NOT_UTF8",
        severity="refuse",
        en=PageText(
            title="A file that was saved in another encoding",
            means="The file holds bytes that are no UTF-8, so that letters with accents could be read in several ways.",
            matters="What is signed must be the same text for everybody.",
            mend='Save the file as UTF-8; every editor has that choice under "save as" or at the bottom of its window.',
        ),
        nl=PageText(
            title="Een bestand dat in een andere codering is opgeslagen",
            means=(
                "Het bestand bevat bytes die geen UTF-8 zijn, zodat letters met accenten op meer manieren te lezen "
                "zijn."
            ),
            matters="Wat wordt ondertekend moet voor iedereen dezelfde tekst zijn.",
            mend=(
                'Sla het bestand op als UTF-8; elke editor heeft die keuze onder "opslaan als" of onder in het venster.'
            ),
        ),
    ),
    Page(
        code="FILE_UNKNOWN",
        severity="refuse",
        en=PageText(
            title="A file that is no part of a policy set",
            means="A set holds catalogue.yaml, officers.yaml and purposes/<purpose>.yaml, and nothing else.",
            matters="A file that nobody reads, such as a purpose ending in .yml, would seem to be in force and not be.",
            mend="Give the file the right name and place, or move it out of the folder.",
        ),
        nl=PageText(
            title="Een bestand dat niet bij een beleidsset hoort",
            means="Een set bevat catalogue.yaml, officers.yaml en purposes/<doel>.yaml, en niets anders.",
            matters=(
                "Een bestand dat niemand leest, zoals een doel dat op .yml eindigt, zou van kracht lijken en het "
                "niet zijn."
            ),
            mend="Geef het bestand de juiste naam en plaats, of haal het uit de map.",
        ),
    ),
    Page(
        code="FILE_NAME_DIFFERS",
        severity="refuse",
        en=PageText(
            title="File and purpose have different names",
            means="The file's name without .yaml is not the name after `purpose:`.",
            matters="Whoever looks for a purpose must find it under its own name; two names invite mistakes.",
            mend="Rename the file, or change the name of the purpose.",
        ),
        nl=PageText(
            title="Bestand en doel heten verschillend",
            means="De bestandsnaam zonder .yaml is niet de naam achter `purpose:`.",
            matters="Wie een doel zoekt moet het onder zijn eigen naam vinden; twee namen lokken vergissingen uit.",
            mend="Hernoem het bestand, of verander de naam van het doel.",
        ),
        example="purposes/snf-locatie.yaml holds `purpose: snf-locatie`",
    ),
    Page(
        code="APPROVAL_SHAPE",
        severity="refuse",
        en=PageText(
            title="A file in approvals/ that is no approval",
            means="The file does not hold an approval as `sluis policy sign` writes it.",
            matters="A damaged approval must not be taken for one, and must not go unnoticed either.",
            mend="Remove the file, and let the officer run `sluis policy sign` again.",
        ),
        nl=PageText(
            title="Een bestand in approvals/ dat geen goedkeuring is",
            means="Het bestand bevat geen goedkeuring zoals `sluis policy sign` die schrijft.",
            matters="Een beschadigde goedkeuring mag niet voor een echte doorgaan, en ook niet onopgemerkt blijven.",
            mend="Verwijder het bestand, en laat de functionaris `sluis policy sign` opnieuw uitvoeren.",
        ),
    ),
    Page(
        code="YAML_SYNTAX",
        severity="refuse",
        en=PageText(
            title="Not written as YAML",
            means="The text breaks off the form of YAML here: an indent, a quote, a bracket or a colon is wrong.",
            matters="Nothing is guessed. What cannot be read for certain is not read.",
            mend=(
                "Compare the indents with the line above, close quotes and brackets, and put a space behind each colon."
            ),
        ),
        nl=PageText(
            title="Niet als YAML geschreven",
            means=(
                "De tekst wijkt hier af van de vorm van YAML: een inspringing, aanhalingsteken, haak of dubbele "
                "punt klopt niet."
            ),
            matters="Er wordt niets geraden. Wat niet met zekerheid te lezen is, wordt niet gelezen.",
            mend=(
                "Vergelijk de inspringing met de regel erboven, sluit aanhalingstekens en haken, en zet een spatie "
                "na elke dubbele punt."
            ),
        ),
    ),
    Page(
        code="EMPTY",
        severity="refuse",
        en=PageText(
            title="An empty file",
            means="The file holds nothing, or only remarks.",
            matters="An empty purpose allows nothing; it was probably saved too early.",
            mend="Write the purpose, or remove the file. docs/write-policy.md shows the shape.",
        ),
        nl=PageText(
            title="Een leeg bestand",
            means="Het bestand bevat niets, of alleen opmerkingen.",
            matters="Een leeg doel staat niets toe; waarschijnlijk is het te vroeg opgeslagen.",
            mend="Schrijf het doel, of verwijder het bestand. docs/write-policy.md laat de vorm zien.",
        ),
    ),
    Page(
        code="EMPTY_VALUE",
        severity="refuse",
        en=PageText(
            title="A key without a value",
            means="Behind the colon or the hyphen stands nothing.",
            matters='An empty place could mean "nothing", "everything" or "forgotten".',
            mend="Write a value, or leave the whole line out.",
        ),
        nl=PageText(
            title="Een sleutel zonder waarde",
            means="Achter de dubbele punt of het streepje staat niets.",
            matters='Een lege plek kan "niets", "alles" of "vergeten" betekenen.',
            mend="Schrijf een waarde, of laat de hele regel weg.",
        ),
    ),
    Page(
        code="DUPLICATE_KEY",
        severity="refuse",
        en=PageText(
            title="The same key twice",
            means="A key stands a second time in the same place.",
            matters="Many programs silently take the last one: `min_group: 10` and then `min_group: 1` would mean 1.",
            mend="Keep one of the two.",
        ),
        nl=PageText(
            title="Tweemaal dezelfde sleutel",
            means="Een sleutel staat een tweede keer op dezelfde plaats.",
            matters=(
                "Veel programma's nemen stilzwijgend de laatste: `min_group: 10` en daarna `min_group: 1` zou 1 "
                "betekenen."
            ),
            mend="Laat een van de twee staan.",
        ),
    ),
    Page(
        code="KEY_SHAPE",
        severity="refuse",
        en=PageText(
            title="A key that is no plain word",
            means="A key has only letters A to Z, digits, dots, hyphens and underscores, and no spaces or accents.",
            matters="Two keys that look alike could otherwise be different ones.",
            mend="Retype the key, and write it as `key: value`.",
        ),
        nl=PageText(
            title="Een sleutel die geen gewoon woord is",
            means=(
                "Een sleutel heeft alleen de letters A tot Z, cijfers, punten, streepjes en lage streepjes, zonder "
                "spaties of accenten."
            ),
            matters="Twee sleutels die op elkaar lijken kunnen anders verschillende zijn.",
            mend="Typ de sleutel opnieuw, en schrijf `sleutel: waarde`.",
        ),
    ),
    Page(
        code="SCHEMA_OUT_OF_DATE",
        severity="refuse",
        en=PageText(
            title="The schema for editors is out of date",
            means="A file in schema/ is not the one that belongs to these policies and this program.",
            matters="Your editor would suggest words that are refused, and mark words that are right.",
            mend="Run `sluis policy schema` on the folder.",
        ),
        nl=PageText(
            title="Het schema voor editors is verouderd",
            means="Een bestand in schema/ is niet het bestand dat bij dit beleid en dit programma hoort.",
            matters="Uw editor zou woorden voorstellen die geweigerd worden, en goede woorden aanstrepen.",
            mend="Voer `sluis policy schema` uit op de map.",
        ),
    ),
)
