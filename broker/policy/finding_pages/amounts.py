"""How much is asked, and what it tells: attributes, limits, counts, chains and special categories."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="MANY_ATTRIBUTES",
        severity="answer",
        en=PageText(
            title="Many attributes",
            means="More than six attributes may be learned.",
            matters=(
                "The more is learned together, the more it says about someone; each must be necessary (AVG article "
                "5(1)(c))."
            ),
            mend="Leave out what does not change a decision, or split the purpose.",
        ),
        nl=PageText(
            title="Veel gegevens",
            means="Er mogen meer dan zes gegevens geleerd worden.",
            matters=(
                "Hoe meer samen bekend wordt, hoe meer het over iemand zegt; elk moet noodzakelijk zijn (AVG "
                "artikel 5 lid 1 onder c)."
            ),
            mend="Laat weg wat geen beslissing verandert, of splits het doel.",
        ),
    ),
    Page(
        code="BULK",
        severity="answer",
        en=PageText(
            title="Questions about very many",
            means=(
                "A question may be about more than 10,000 subjects (1,000 persons), or a day about more than a million."
            ),
            matters=(
                "This compares registers rather than answering on cases; the risk differs in kind (AVG article 35(3))."
            ),
            mend="Lower the limits to what the work needs. The figures are ours, not the law's.",
        ),
        nl=PageText(
            title="Vragen over heel velen",
            means=(
                "Een vraag mag over meer dan 10.000 onderwerpen (1000 personen) gaan, of een dag over meer dan een "
                "miljoen."
            ),
            matters=(
                "Dit vergelijkt registers en beantwoordt geen zaken; het risico is van een andere soort (AVG "
                "artikel 35 lid 3)."
            ),
            mend="Verlaag de grenzen tot wat het werk vraagt. De getallen zijn van ons, niet van de wet.",
        ),
    ),
    Page(
        code="ABOVE_OFFER",
        severity="refuse",
        en=PageText(
            title="More than the answerer offers",
            means=(
                "A limit is above what a party under `answers` says that it answers at most (`answers_at_most` in "
                "the catalogue)."
            ),
            matters="The stricter side decides: nobody is made to answer more than it agreed.",
            mend="Write the number in the message or less, or agree a higher one with that party.",
        ),
        nl=PageText(
            title="Meer dan de beantwoorder aanbiedt",
            means=(
                "Een grens ligt boven wat een partij onder `answers` ten hoogste beantwoordt (`answers_at_most` in "
                "de catalogus)."
            ),
            matters="De strengste kant beslist: niemand hoeft meer te beantwoorden dan afgesproken.",
            mend="Schrijf het getal in de melding of minder, of spreek met die partij een hoger getal af.",
        ),
    ),
    Page(
        code="NO_CASE_NUMBER",
        severity="answer",
        en=PageText(
            title="Row by row, without a case number",
            means="Hits may be learned one by one, and no case number is asked.",
            matters=(
                "A purpose is a claim of the asker. A case number lets somebody check it afterwards (AVG article 5(2))."
            ),
            mend="Add `case_number: required`, or say why there is no case.",
        ),
        nl=PageText(
            title="Rij voor rij, zonder zaaknummer",
            means="Treffers mogen een voor een geleerd worden, en er wordt geen zaaknummer gevraagd.",
            matters=(
                "Een doel is een bewering van de vrager. Met een zaaknummer kan iemand die achteraf toetsen (AVG "
                "artikel 5 lid 2)."
            ),
            mend="Voeg `case_number: required` toe, of zeg waarom er geen zaak is.",
        ),
    ),
    Page(
        code="GROUP_SMALL",
        severity="answer",
        en=PageText(
            title="Counts of small groups of persons",
            means="Counts of natural persons are told from groups of fewer than ten.",
            matters=(
                "In a small group people recognise each other; statistics on persons usually leave out fewer than ten."
            ),
            mend="Write `min_group: 10` or more.",
        ),
        nl=PageText(
            title="Aantallen van kleine groepen personen",
            means="Aantallen natuurlijke personen worden gegeven voor groepen kleiner dan tien.",
            matters=(
                "In een kleine groep herkennen mensen elkaar; statistiek over personen laat minder dan tien meestal"
                " weg."
            ),
            mend="Schrijf `min_group: 10` of meer.",
        ),
    ),
    Page(
        code="EXACT_COUNT",
        severity="answer",
        en=PageText(
            title="Exact counts of persons",
            means="Counts of natural persons come without bands.",
            matters="Two exact counts that differ by one tell about one person.",
            mend="Add `bands:`, so that only the class of a number is told.",
        ),
        nl=PageText(
            title="Exacte aantallen personen",
            means="Aantallen natuurlijke personen komen zonder klassen.",
            matters="Twee exacte aantallen die een verschillen vertellen iets over een persoon.",
            mend="Voeg `bands:` toe, zodat alleen de klasse van een getal bekend wordt.",
        ),
    ),
    Page(
        code="COUNT_BESIDE_HITS",
        severity="answer",
        en=PageText(
            title="A count beside hits",
            means="The same purpose gives a count and hits row by row.",
            matters="Small groups are withheld in the count, and the rows show them after all.",
            mend="Leave the count out, or write a purpose of its own for those who need only the number.",
        ),
        nl=PageText(
            title="Een aantal naast treffers",
            means="Hetzelfde doel geeft een aantal en treffers rij voor rij.",
            matters="Kleine groepen blijven in het aantal achterwege, en de rijen laten ze toch zien.",
            mend="Laat het aantal weg, of schrijf een eigen doel voor wie alleen het getal nodig heeft.",
        ),
    ),
    Page(
        code="COUNT_BESIDE_PURPOSE",
        severity="answer",
        en=PageText(
            title="A count here, and rows under another purpose",
            means="The same asker may learn the same subjects of the same answerer row by row under another purpose.",
            matters=(
                "Together the answers can tell what the smallest group was to withhold. Whether they do cannot be "
                "computed from the text."
            ),
            mend="Look at the two together; end one of them, or say why they do not undo each other.",
        ),
        nl=PageText(
            title="Hier een aantal, en rijen onder een ander doel",
            means=(
                "Dezelfde vrager kan dezelfde onderwerpen bij dezelfde beantwoorder rij voor rij leren onder een "
                "ander doel."
            ),
            matters=(
                "Samen kunnen de antwoorden vertellen wat de kleinste groep moest achterhouden. Uit de tekst is dat"
                " niet te berekenen."
            ),
            mend="Bekijk de twee samen; beëindig er een, of zeg waarom ze elkaar niet ontkrachten.",
        ),
    ),
    Page(
        code="COUNT_TWICE",
        severity="answer",
        en=PageText(
            title="Counts of the same under two purposes",
            means="The same asker may count the same subjects of the same answerer under another purpose too.",
            matters="Only within one purpose are two questions compared for a small difference (differencing).",
            mend="Make it one purpose, or say why the two cannot be subtracted from each other.",
        ),
        nl=PageText(
            title="Aantallen van hetzelfde onder twee doelen",
            means="Dezelfde vrager mag dezelfde onderwerpen bij dezelfde beantwoorder ook onder een ander doel tellen.",
            matters="Alleen binnen een doel worden twee vragen op een klein verschil vergeleken.",
            mend="Maak er een doel van, of zeg waarom de twee niet van elkaar af te trekken zijn.",
        ),
    ),
    Page(
        code="COVERED",
        severity="answer",
        en=PageText(
            title="Covered by a wider purpose",
            means="Everything that this purpose permits is permitted by another one, too.",
            matters=(
                "The stricter conditions here hold nobody back. Found exactly, by the same comparison as `sluis "
                "policy diff`."
            ),
            mend="Remove this one, or narrow the other.",
        ),
        nl=PageText(
            title="Gedekt door een ruimer doel",
            means="Alles wat dit doel toestaat staat een ander doel ook toe.",
            matters=(
                "De strengere voorwaarden hier houden niemand tegen. Exact gevonden, met dezelfde vergelijking als "
                "`sluis policy diff`."
            ),
            mend="Verwijder dit doel, of maak het andere nauwer.",
        ),
    ),
    Page(
        code="CHAIN_TO_NATIONAL_NUMBER",
        severity="answer",
        en=PageText(
            title="A chain that ends at a national number",
            means=(
                "From an attribute learned here the same asker can go on under other purposes, and come to a BSN or"
                " a number that can hold one."
            ),
            matters="Each step was weighed by itself; together they identify a natural person.",
            mend="Leave the attribute out, or say why this asker may know whose number it is.",
        ),
        nl=PageText(
            title="Een keten die bij een nationaal nummer eindigt",
            means=(
                "Met een gegeven van hier kan dezelfde vrager verder onder andere doelen, en uitkomen bij een BSN "
                "of een nummer dat er een kan bevatten."
            ),
            matters="Elke stap is apart gewogen; samen wijzen ze een natuurlijke persoon aan.",
            mend="Laat het gegeven weg, of zeg waarom deze vrager mag weten van wie het nummer is.",
        ),
    ),
    Page(
        code="NATIONAL_NUMBER_LEARNED",
        severity="refuse",
        en=PageText(
            title="A national number in an answer",
            means="An attribute shows a BSN, or a number that can hold one, where a party may not use it.",
            matters="Only those whom a law names may use the BSN (UAVG article 46; AVG article 87).",
            mend="Leave the attribute out, or remove the parties without `bsn_entitled`.",
        ),
        nl=PageText(
            title="Een nationaal nummer in een antwoord",
            means=(
                "Een gegeven laat een BSN zien, of een nummer dat er een kan bevatten, waar een partij het niet mag"
                " gebruiken."
            ),
            matters="Alleen wie een wet aanwijst mag het BSN gebruiken (UAVG artikel 46; AVG artikel 87).",
            mend="Laat het gegeven weg, of haal de partijen zonder `bsn_entitled` weg.",
        ),
    ),
    Page(
        code="SPECIAL_CATEGORY",
        severity="refuse",
        en=PageText(
            title="A special category without a law that allows it",
            means="An attribute can hold data of AVG article 9 or 10, and the legal basis does not lift that ban.",
            matters="Such data are forbidden unless an exception applies; an ordinary ground is not enough.",
            mend=(
                "Cite the law under `special_categories` of the legal basis, leave the attribute out, or write "
                "`exclude_natural_persons: true`."
            ),
        ),
        nl=PageText(
            title="Een bijzondere categorie zonder wet die haar toelaat",
            means="Een gegeven kan onder AVG artikel 9 of 10 vallen, en de grondslag heft dat verbod niet op.",
            matters="Zulke gegevens zijn verboden tenzij een uitzondering geldt; een gewone grondslag is niet genoeg.",
            mend=(
                "Noem de wet onder `special_categories` van de grondslag, laat het gegeven weg, of schrijf "
                "`exclude_natural_persons: true`."
            ),
        ),
    ),
    Page(
        code="UNUSED_ATTRIBUTE",
        severity="note",
        en=PageText(
            title="An attribute that nobody may learn",
            means="No purpose lists this attribute of the catalogue.",
            matters="A word that is not used can mislead, and is soon out of date.",
            mend="Remove it, or keep it for the purpose that is to come.",
        ),
        nl=PageText(
            title="Een gegeven dat niemand mag leren",
            means="Geen doel noemt dit gegeven uit de catalogus.",
            matters="Een woord dat niet gebruikt wordt kan misleiden, en is snel verouderd.",
            mend="Verwijder het, of bewaar het voor het doel dat nog komt.",
        ),
    ),
    Page(
        code="UNUSED_WORD",
        severity="note",
        en=PageText(
            title="A word of the catalogue that no purpose uses",
            means="A party, identifier, legal basis or DPIA is drawn on by no purpose.",
            matters="A word that is not used can mislead, and is soon out of date.",
            mend="Remove it, or keep it for the purpose that is to come.",
        ),
        nl=PageText(
            title="Een woord uit de catalogus dat geen doel gebruikt",
            means="Een partij, identificatie, grondslag of DPIA wordt door geen doel gebruikt.",
            matters="Een woord dat niet gebruikt wordt kan misleiden, en is snel verouderd.",
            mend="Verwijder het, of bewaar het voor het doel dat nog komt.",
        ),
    ),
)
