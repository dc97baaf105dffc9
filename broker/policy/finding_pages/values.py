"""What stands behind a key: its type, its words and its bounds."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="MISSING",
        severity="refuse",
        en=PageText(
            title="Something that must be there is not",
            means="A file, a key or a part of a question is missing.",
            matters="Nothing has a silent default that could allow more than somebody meant.",
            mend="Add what the message names.",
        ),
        nl=PageText(
            title="Er ontbreekt iets dat er moet staan",
            means="Een bestand, een sleutel of een deel van een vraag ontbreekt.",
            matters="Niets heeft een stilzwijgende waarde die meer zou kunnen toestaan dan iemand bedoelde.",
            mend="Voeg toe wat de melding noemt.",
        ),
    ),
    Page(
        code="UNKNOWN_KEY",
        severity="refuse",
        en=PageText(
            title="A key that does not exist",
            means="This key is not known in this place.",
            matters="A misspelt limit would otherwise be no limit at all.",
            mend="Take the spelling that is suggested, or remove the line.",
        ),
        nl=PageText(
            title="Een sleutel die niet bestaat",
            means="Deze sleutel is op deze plaats niet bekend.",
            matters="Een verkeerd gespelde grens zou anders helemaal geen grens zijn.",
            mend="Neem de voorgestelde spelling over, of verwijder de regel.",
        ),
        example="answer_keep_days: 92        # not: answer_keep_day",
    ),
    Page(
        code="UNKNOWN_WORD",
        severity="refuse",
        en=PageText(
            title="A word that is not in the vocabulary",
            means=(
                "A party, attribute, identifier, law or other word does not stand in the catalogue, or is none of "
                "the words allowed here."
            ),
            matters="The vocabulary is closed: every word in it was agreed and has one meaning.",
            mend="Take the spelling that is suggested, or have the word added to catalogue.yaml.",
        ),
        nl=PageText(
            title="Een woord dat niet in de woordenlijst staat",
            means=(
                "Een partij, gegeven, identificatie, wet of ander woord staat niet in de catalogus, of hoort hier niet."
            ),
            matters="De woordenlijst is gesloten: elk woord erin is afgesproken en heeft een betekenis.",
            mend="Neem de voorgestelde spelling over, of laat het woord toevoegen aan catalogue.yaml.",
        ),
    ),
    Page(
        code="WRONG_SHAPE",
        severity="refuse",
        en=PageText(
            title="A value of another shape",
            means=(
                "A list stands where one value belongs, or the reverse; or the value has another form than this key"
                " needs."
            ),
            matters="Reading half of it would change what it means.",
            mend="Write it as the message shows.",
        ),
        nl=PageText(
            title="Een waarde van een andere vorm",
            means=(
                "Er staat een lijst waar een waarde hoort, of andersom; of de waarde heeft een andere vorm dan deze"
                " sleutel vraagt."
            ),
            matters="Er de helft van lezen zou de betekenis veranderen.",
            mend="Schrijf het zoals de melding laat zien.",
        ),
        example="asks: [utrecht]             # a list, also of one",
    ),
    Page(
        code="EMPTY_LIST",
        severity="refuse",
        en=PageText(
            title="A list with nothing in it",
            means="This list must name at least one thing.",
            matters='"Nobody" and "everybody" both look like an empty list.',
            mend="Name whom or what you mean.",
        ),
        nl=PageText(
            title="Een lijst waar niets in staat",
            means="Deze lijst moet er ten minste een noemen.",
            matters='"Niemand" en "iedereen" zien er allebei uit als een lege lijst.',
            mend="Noem wie of wat u bedoelt.",
        ),
    ),
    Page(
        code="OUT_OF_RANGE",
        severity="refuse",
        en=PageText(
            title="A number outside its bounds",
            means="The number is smaller or larger than this key can have.",
            matters="A limit of nought or of a billion is a mistake.",
            mend="Write a number within the bounds of the message.",
        ),
        nl=PageText(
            title="Een getal buiten zijn grenzen",
            means="Het getal is kleiner of groter dan deze sleutel kan hebben.",
            matters="Een grens van nul of een miljard is een vergissing.",
            mend="Schrijf een getal binnen de grenzen van de melding.",
        ),
    ),
    Page(
        code="NO_END_DATE",
        severity="refuse",
        en=PageText(
            title="A purpose without a last day",
            means="`valid:` has no `until`.",
            matters="Every purpose ends, so that its necessity is judged anew (AVG article 5(1)(e) and 35(11)).",
            mend="Add the last day.",
        ),
        nl=PageText(
            title="Een doel zonder laatste dag",
            means="`valid:` heeft geen `until`.",
            matters=(
                "Elk doel eindigt, zodat de noodzaak opnieuw wordt beoordeeld (AVG artikel 5 lid 1 onder e en 35 "
                "lid 11)."
            ),
            mend="Voeg de laatste dag toe.",
        ),
        example="valid: {from: 2026-01-01, until: 2027-12-31}",
    ),
    Page(
        code="NOT_TEXT",
        severity="refuse",
        en=PageText(
            title="Text is needed here",
            means="A list or a nested part stands where words belong.",
            matters="Nothing is turned into text silently.",
            mend="Write the words on this line, in quotes when they hold a colon.",
        ),
        nl=PageText(
            title="Hier hoort tekst",
            means="Er staat een lijst of een genest deel waar woorden horen.",
            matters="Niets wordt stilzwijgend tot tekst gemaakt.",
            mend="Schrijf de woorden op deze regel, tussen aanhalingstekens als er een dubbele punt in staat.",
        ),
    ),
    Page(
        code="NULL",
        severity="refuse",
        en=PageText(
            title='"null" where text is needed',
            means='`null` and `~` mean "nothing" to most YAML programs and editors.',
            matters="The word would be read as a name or a reason that nobody meant.",
            mend="Leave the key out; or quote the word if it is really meant.",
        ),
        nl=PageText(
            title='"null" waar tekst nodig is',
            means='`null` en `~` betekenen voor de meeste YAML-programma\'s en editors "niets".',
            matters="Het woord zou gelezen worden als een naam of reden die niemand bedoelde.",
            mend="Laat de sleutel weg; of zet het woord tussen aanhalingstekens als het echt bedoeld is.",
        ),
    ),
    Page(
        code="TEXT_LENGTH",
        severity="refuse",
        en=PageText(
            title="Text that is empty or too long",
            means="A text has 1 to 2,000 characters.",
            matters="An empty reason is none, and a very long one is not read.",
            mend="Write a sentence or a few.",
        ),
        nl=PageText(
            title="Tekst die leeg of te lang is",
            means="Een tekst heeft 1 tot 2000 tekens.",
            matters="Een lege reden is er geen, en een heel lange wordt niet gelezen.",
            mend="Schrijf een zin of een paar.",
        ),
    ),
    Page(
        code="WILDCARD",
        severity="refuse",
        en=PageText(
            title="A word that would cover everybody",
            means="`*`, `all`, `everyone` and the like are no names.",
            matters="Whoever is added later would be covered without anybody deciding so.",
            mend="List the names, or use a group whose members are listed in the catalogue.",
        ),
        nl=PageText(
            title="Een woord dat iedereen zou dekken",
            means="`*`, `all`, `iedereen` en dergelijke zijn geen namen.",
            matters="Wie er later bij komt zou gedekt zijn zonder dat iemand dat besloot.",
            mend="Noem de namen, of gebruik een groep waarvan de leden in de catalogus staan.",
        ),
    ),
    Page(
        code="NAME_SHAPE",
        severity="refuse",
        en=PageText(
            title="A name in another form",
            means=(
                "A name has lower-case letters a to z, digits and hyphens, begins with a letter, and has at most 63"
                " characters."
            ),
            matters="Two spellings of one name would be two names.",
            mend="Write it in that form, such as `nla-verzoek`.",
        ),
        nl=PageText(
            title="Een naam in een andere vorm",
            means=(
                "Een naam heeft kleine letters a tot z, cijfers en streepjes, begint met een letter, en heeft "
                "hoogstens 63 tekens."
            ),
            matters="Twee spellingen van een naam zouden twee namen zijn.",
            mend="Schrijf hem in die vorm, zoals `nla-verzoek`.",
        ),
    ),
    Page(
        code="NOT_A_NUMBER",
        severity="refuse",
        en=PageText(
            title="A whole number is needed here",
            means="Only digits, at most nine, without a leading nought, points, commas or a minus.",
            matters="Programs differ over `092`, `0x5c`, `1e3` and `1_000`.",
            mend="Write only digits, such as 92.",
        ),
        nl=PageText(
            title="Hier hoort een geheel getal",
            means="Alleen cijfers, hoogstens negen, zonder nul vooraan, punten, komma's of minteken.",
            matters="Programma's verschillen over `092`, `0x5c`, `1e3` en `1_000`.",
            mend="Schrijf alleen cijfers, zoals 92.",
        ),
    ),
    Page(
        code="NOT_TRUE_OR_FALSE",
        severity="refuse",
        en=PageText(
            title="true or false is needed here",
            means="Only `true` and `false`, in lower case and without quotes.",
            matters="Programs differ over `yes`, `on` and `NO`.",
            mend="Write true or false.",
        ),
        nl=PageText(
            title="Hier hoort true of false",
            means="Alleen `true` en `false`, in kleine letters en zonder aanhalingstekens.",
            matters="Programma's verschillen over `yes`, `on` en `NO`.",
            mend="Schrijf true of false.",
        ),
    ),
    Page(
        code="NOT_A_DAY",
        severity="refuse",
        en=PageText(
            title="A day is needed here",
            means="A day that exists, written as year-month-day.",
            matters="01-02-2026 is two different days in two countries.",
            mend="Write it as 2026-12-31.",
        ),
        nl=PageText(
            title="Hier hoort een dag",
            means="Een dag die bestaat, geschreven als jaar-maand-dag.",
            matters="01-02-2026 is in twee landen een andere dag.",
            mend="Schrijf hem als 2026-12-31.",
        ),
    ),
    Page(
        code="NOT_A_TIME",
        severity="refuse",
        en=PageText(
            title="A moment is needed here",
            means="A moment that exists, in UTC, to the second.",
            matters="Without a zone an hour in October happens twice.",
            mend="Write it as 2026-06-01T10:00:00Z; in summer that is noon in the Netherlands.",
        ),
        nl=PageText(
            title="Hier hoort een tijdstip",
            means="Een tijdstip dat bestaat, in UTC, op de seconde.",
            matters="Zonder tijdzone komt een uur in oktober twee keer voor.",
            mend="Schrijf het als 2026-06-01T10:00:00Z; in de zomer is dat in Nederland twaalf uur.",
        ),
    ),
    Page(
        code="CODE_SHAPE",
        severity="refuse",
        en=PageText(
            title="The code of a finding is needed here",
            means="An answer names the finding that it answers by its code, in capitals.",
            matters="An answer to nothing in particular would silence anything.",
            mend="Copy the code that `sluis policy check` prints.",
        ),
        nl=PageText(
            title="Hier hoort de code van een bevinding",
            means="Een antwoord noemt de bevinding waarop het slaat bij de code, in hoofdletters.",
            matters="Een antwoord op niets in het bijzonder zou alles stilleggen.",
            mend="Neem de code over die `sluis policy check` afdrukt.",
        ),
        example="answered: [{finding: NO_CASE_NUMBER, by: privacy officer, on: 2026-11-02, reason: ...}]",
    ),
    Page(
        code="NOTICE_SHAPE",
        severity="refuse",
        en=PageText(
            title="The id of a suspension notice is needed here",
            means="`lifts:` names notices by their 16 hexadecimal digits.",
            matters="Lifting the wrong notice would open what somebody closed.",
            mend="Copy the id that `sluis policy suspend` printed, in quotes.",
        ),
        nl=PageText(
            title="Hier hoort het kenmerk van een schorsing",
            means="`lifts:` noemt schorsingen bij hun 16 hexadecimale cijfers.",
            matters="De verkeerde schorsing opheffen zou openen wat iemand sloot.",
            mend="Neem het kenmerk over dat `sluis policy suspend` afdrukte, tussen aanhalingstekens.",
        ),
    ),
    Page(
        code="KEY_SHAPE_ED25519",
        severity="refuse",
        en=PageText(
            title="A public key is needed here",
            means="An officer's public key is 64 hexadecimal digits in lower case.",
            matters="By this key everybody checks the officer's signatures.",
            mend="Copy what `sluis policy new-key` printed, in quotes. Never put the private key here.",
        ),
        nl=PageText(
            title="Hier hoort een publieke sleutel",
            means="De publieke sleutel van een functionaris is 64 hexadecimale cijfers in kleine letters.",
            matters="Met deze sleutel controleert iedereen de handtekeningen van de functionaris.",
            mend=(
                "Neem over wat `sluis policy new-key` afdrukte, tussen aanhalingstekens. Zet hier nooit de private "
                "sleutel."
            ),
        ),
    ),
    Page(
        code="OIN_INVALID",
        severity="refuse",
        en=PageText(
            title="Not an organisation identification number",
            means="An OIN has 20 characters in the form of the Digikoppeling standard.",
            matters="By its OIN a party's certificate is tied to its name here.",
            mend="Look the number up in the OIN register and copy it, in quotes.",
        ),
        nl=PageText(
            title="Geen organisatie-identificatienummer",
            means="Een OIN heeft 20 tekens in de vorm van de Digikoppeling-standaard.",
            matters="Met het OIN hangt het certificaat van een partij vast aan haar naam hier.",
            mend="Zoek het nummer op in het OIN-register en neem het over, tussen aanhalingstekens.",
        ),
    ),
    Page(
        code="INVALID",
        severity="refuse",
        en=PageText(
            title="A value that this key cannot have",
            means="The value is refused for a reason that has no code of its own; the message says which.",
            matters="What is not known to be right is not read.",
            mend="Compare the line with the sample in policies/, or with the hover text in your editor.",
        ),
        nl=PageText(
            title="Een waarde die deze sleutel niet kan hebben",
            means="De waarde is geweigerd om een reden zonder eigen code; de melding noemt die.",
            matters="Wat niet zeker goed is, wordt niet gelezen.",
            mend="Vergelijk de regel met het voorbeeld in policies/, of met de uitleg in uw editor.",
        ),
    ),
)
