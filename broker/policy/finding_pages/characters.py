"""What YAML allows and a policy file does not: unseen characters, references, and sizes without bounds."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="INVISIBLE_CHARACTER",
        severity="refuse",
        en=PageText(
            title="A character that nobody can see",
            means=(
                "The line holds a character without a shape, such as a hard space, a zero-width space or one that "
                "turns the direction of writing."
            ),
            matters="What a person approves by eye must be what the machine reads.",
            mend=(
                "Delete and retype the words on this line; such characters come along with pasting from a website "
                "or a text processor."
            ),
        ),
        nl=PageText(
            title="Een teken dat niemand ziet",
            means=(
                "De regel bevat een teken zonder vorm, zoals een harde spatie, een spatie zonder breedte of een "
                "teken dat de schrijfrichting keert."
            ),
            matters="Wat een mens op het oog goedkeurt moet zijn wat de machine leest.",
            mend=(
                "Wis en typ de woorden op deze regel opnieuw; zulke tekens komen mee bij plakken uit een website of"
                " tekstverwerker."
            ),
        ),
    ),
    Page(
        code="LOOK_ALIKE_CHARACTER",
        severity="refuse",
        en=PageText(
            title="A letter or digit from another script",
            means=(
                "The line holds a character that can be taken for a Latin letter or an ordinary digit, such as a "
                "Cyrillic a."
            ),
            matters="`nla` with a Cyrillic a is another word, and no reader can see that.",
            mend="Delete and retype the word on this line.",
        ),
        nl=PageText(
            title="Een letter of cijfer uit een ander schrift",
            means=(
                "De regel bevat een teken dat voor een Latijnse letter of een gewoon cijfer kan doorgaan, zoals een"
                " Cyrillische a."
            ),
            matters="`nla` met een Cyrillische a is een ander woord, en geen lezer kan dat zien.",
            mend="Wis en typ het woord op deze regel opnieuw.",
        ),
    ),
    Page(
        code="TAB",
        severity="refuse",
        en=PageText(
            title="A tab",
            means="The line holds a tab.",
            matters=(
                "A tab has another width in each editor, so that what seems to stand under a key may not belong to it."
            ),
            mend="Replace it with spaces; set your editor to write spaces.",
        ),
        nl=PageText(
            title="Een tab",
            means="De regel bevat een tab.",
            matters=(
                "Een tab is in elke editor anders breed, zodat wat onder een sleutel lijkt te staan er niet bij "
                "hoeft te horen."
            ),
            mend="Vervang hem door spaties; stel uw editor in op spaties.",
        ),
    ),
    Page(
        code="NOT_NFC",
        severity="refuse",
        en=PageText(
            title="Letters and accents that are not joined",
            means="An accent stands as a character of its own behind its letter.",
            matters="The same word can then be written in two ways that look alike and have different digests.",
            mend="Retype the word, or let your editor save as NFC.",
        ),
        nl=PageText(
            title="Letters en accenten die niet zijn samengevoegd",
            means="Een accent staat als los teken achter zijn letter.",
            matters=(
                "Hetzelfde woord is dan op twee manieren te schrijven die er gelijk uitzien en een andere "
                "samenvatting (hash) geven."
            ),
            mend="Typ het woord opnieuw, of laat uw editor als NFC opslaan.",
        ),
    ),
    Page(
        code="ESCAPE",
        severity="refuse",
        en=PageText(
            title="A backslash between double quotes",
            means="Between double quotes YAML turns a backslash and what follows into another character.",
            matters="The reader would see something else than what is read.",
            mend="Use single quotes, and write the character itself.",
        ),
        nl=PageText(
            title="Een schuine streep terug tussen dubbele aanhalingstekens",
            means=(
                "Tussen dubbele aanhalingstekens maakt YAML van een schuine streep terug met wat erop volgt een "
                "ander teken."
            ),
            matters="De lezer zou iets anders zien dan wat er gelezen wordt.",
            mend="Gebruik enkele aanhalingstekens, en schrijf het teken zelf.",
        ),
    ),
    Page(
        code="ANCHOR",
        severity="refuse",
        en=PageText(
            title="An anchor (&name)",
            means="YAML lets a value be named here and be used elsewhere.",
            matters="A purpose must be readable line by line; and a few lines with anchors can grow into millions.",
            mend="Write the value out in each place.",
        ),
        nl=PageText(
            title="Een anker (&naam)",
            means="YAML laat een waarde hier een naam krijgen en elders gebruiken.",
            matters=(
                "Een doel moet regel voor regel te lezen zijn; en een paar regels met ankers kunnen uitgroeien tot "
                "miljoenen."
            ),
            mend="Schrijf de waarde op elke plaats uit.",
        ),
    ),
    Page(
        code="ALIAS",
        severity="refuse",
        en=PageText(
            title="A reference (*name)",
            means="YAML would put a value from another place here.",
            matters="A purpose must be readable line by line, without looking elsewhere.",
            mend="Write the value out.",
        ),
        nl=PageText(
            title="Een verwijzing (*naam)",
            means="YAML zou hier een waarde van een andere plaats invullen.",
            matters="Een doel moet regel voor regel te lezen zijn, zonder elders te zoeken.",
            mend="Schrijf de waarde uit.",
        ),
    ),
    Page(
        code="TAG",
        severity="refuse",
        en=PageText(
            title="A tag (!name)",
            means="A tag tells a YAML program to read the value as another type.",
            matters="Here the schema alone decides the type; in other programs tags can even run code.",
            mend="Remove the tag.",
        ),
        nl=PageText(
            title="Een tag (!naam)",
            means="Een tag laat een YAML-programma de waarde als een ander type lezen.",
            matters="Hier bepaalt alleen het schema het type; in andere programma's kunnen tags zelfs code uitvoeren.",
            mend="Verwijder de tag.",
        ),
    ),
    Page(
        code="DIRECTIVE",
        severity="refuse",
        en=PageText(
            title="A YAML directive (% line)",
            means="A line that begins with % tells a YAML program how to read the rest.",
            matters="There is one way to read a policy file.",
            mend="Remove the line.",
        ),
        nl=PageText(
            title="Een YAML-opdracht (regel met %)",
            means="Een regel die met % begint vertelt een YAML-programma hoe het de rest moet lezen.",
            matters="Er is maar een manier om een beleidsbestand te lezen.",
            mend="Verwijder de regel.",
        ),
    ),
    Page(
        code="SECOND_DOCUMENT",
        severity="refuse",
        en=PageText(
            title="A second document in one file",
            means="A line with three hyphens begins a second document.",
            matters="Most programs read only the first, so that the second would seem to count.",
            mend="Put it in a file of its own, or remove the line with hyphens.",
        ),
        nl=PageText(
            title="Een tweede document in een bestand",
            means="Een regel met drie streepjes begint een tweede document.",
            matters="De meeste programma's lezen alleen het eerste, zodat het tweede ten onrechte lijkt mee te tellen.",
            mend="Zet het in een eigen bestand, of verwijder de regel met streepjes.",
        ),
    ),
    Page(
        code="TOO_LARGE",
        severity="refuse",
        en=PageText(
            title="A file that is too large",
            means="A policy file has at most 256 KiB.",
            matters="Nobody reads more than that before signing; and reading stays quick and bounded.",
            mend="Split the file: a purpose of its own for each aim.",
        ),
        nl=PageText(
            title="Een te groot bestand",
            means="Een beleidsbestand heeft ten hoogste 256 KiB.",
            matters="Niemand leest meer dan dat voor het ondertekenen; en het lezen blijft snel en begrensd.",
            mend="Splits het bestand: een eigen doel voor elk oogmerk.",
        ),
    ),
    Page(
        code="TOO_DEEP",
        severity="refuse",
        en=PageText(
            title="Nested too deeply",
            means="Values stand within values at more than 16 levels.",
            matters="No policy needs this; files that do have brought programs down.",
            mend="Check the brackets and indents.",
        ),
        nl=PageText(
            title="Te diep genest",
            means="Waarden staan op meer dan 16 niveaus in elkaar.",
            matters="Geen beleid heeft dit nodig; zulke bestanden hebben programma's laten vastlopen.",
            mend="Controleer haken en inspringingen.",
        ),
    ),
    Page(
        code="TOO_MANY_NODES",
        severity="refuse",
        en=PageText(
            title="Too many values",
            means="A file holds at most 20,000 values.",
            matters="Nobody can read more than that; and reading stays quick and bounded.",
            mend="Split the file, or use a group of parties instead of long lists.",
        ),
        nl=PageText(
            title="Te veel waarden",
            means="Een bestand bevat ten hoogste 20.000 waarden.",
            matters="Meer kan niemand lezen; en het lezen blijft snel en begrensd.",
            mend="Splits het bestand, of gebruik een groep van partijen in plaats van lange lijsten.",
        ),
    ),
)
