"""Who takes part, who signs, what people answered, and what the log says of use."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES = (
    Page(
        code="ORGANISATION_LEFT",
        severity="refuse",
        en=PageText(
            title="An organisation that has left",
            means="A party of this purpose took part until a day that has passed (`left_on` in the catalogue).",
            matters="It could still ask or be asked, though nobody answers for it any more.",
            mend="Remove it here, or from the group that names it.",
        ),
        nl=PageText(
            title="Een organisatie die is vertrokken",
            means="Een partij van dit doel deed mee tot een dag die voorbij is (`left_on` in de catalogus).",
            matters="Zij zou nog kunnen vragen of gevraagd worden, terwijl niemand meer voor haar instaat.",
            mend="Haal haar hier weg, of uit de groep die haar noemt.",
        ),
    ),
    Page(
        code="ORGANISATION_LEAVES",
        severity="note",
        en=PageText(
            title="An organisation that will leave",
            means="A party of this purpose leaves before the purpose ends.",
            matters="From the day after, a revision without it must be in force.",
            mend="Plan that revision.",
        ),
        nl=PageText(
            title="Een organisatie die gaat vertrekken",
            means="Een partij van dit doel vertrekt voordat het doel eindigt.",
            matters="Vanaf de dag erna moet een versie zonder haar van kracht zijn.",
            mend="Plan die versie.",
        ),
    ),
    Page(
        code="NO_OFFICERS",
        severity="note",
        en=PageText(
            title="No officers yet",
            means="There is no officers.yaml, so nobody can approve a purpose.",
            matters="Before a set is activated, the asking and the answering side each approve every active purpose.",
            mend="Add officers.yaml before you sign; docs/write-policy.md says how.",
        ),
        nl=PageText(
            title="Nog geen functionarissen",
            means="Er is geen officers.yaml, dus niemand kan een doel goedkeuren.",
            matters="Voordat een set van kracht wordt keuren de vragende en de antwoordende kant elk actief doel goed.",
            mend="Voeg officers.yaml toe voordat u ondertekent; docs/write-policy.md legt uit hoe.",
        ),
    ),
    Page(
        code="NO_AUTHOR",
        severity="note",
        en=PageText(
            title="It is not said who wrote it",
            means="There are officers, and this purpose has no `written_by`.",
            matters="Nobody can see whether its author approves it.",
            mend="Add `written_by:` with an officer, if an officer wrote it.",
        ),
        nl=PageText(
            title="Er staat niet wie het schreef",
            means="Er zijn functionarissen, en dit doel heeft geen `written_by`.",
            matters="Niemand kan zien of de schrijver het zelf goedkeurt.",
            mend="Voeg `written_by:` toe met een functionaris, als een functionaris het schreef.",
        ),
    ),
    Page(
        code="NO_APPROVER",
        severity="answer",
        en=PageText(
            title="A side that nobody can approve for",
            means="Without the author there are not two officers, one for each side.",
            matters="The set cannot be activated with this purpose active: four eyes on each exchange.",
            mend="Add an officer to officers.yaml, or let another officer write it.",
        ),
        nl=PageText(
            title="Een kant waarvoor niemand kan goedkeuren",
            means="Buiten de schrijver zijn er geen twee functionarissen, een voor elke kant.",
            matters="De set kan niet van kracht worden met dit doel actief: vier ogen op elke uitwisseling.",
            mend="Voeg een functionaris toe aan officers.yaml, of laat een andere functionaris het schrijven.",
        ),
    ),
    Page(
        code="AUTHOR_APPROVES",
        severity="refuse",
        en=PageText(
            title="The author approved it",
            means="The officer under `written_by` also gave an approval.",
            matters="Nobody approves their own text; that approval does not count.",
            mend="Let another officer of that side approve it, and remove this approval.",
        ),
        nl=PageText(
            title="De schrijver keurde het goed",
            means="De functionaris onder `written_by` gaf ook een goedkeuring.",
            matters="Niemand keurt zijn eigen tekst goed; die goedkeuring telt niet.",
            mend="Laat een andere functionaris van die kant het goedkeuren, en verwijder deze goedkeuring.",
        ),
    ),
    Page(
        code="ANSWER_UNKNOWN_CODE",
        severity="refuse",
        en=PageText(
            title="An answer to a finding that does not exist",
            means="`answered:` names a code that this program does not know.",
            matters="An answer that answers nothing would be signed as if it did.",
            mend="Copy the code that `sluis policy check` prints.",
        ),
        nl=PageText(
            title="Een antwoord op een bevinding die niet bestaat",
            means="`answered:` noemt een code die dit programma niet kent.",
            matters="Een antwoord dat niets beantwoordt zou ondertekend worden alsof het dat deed.",
            mend="Neem de code over die `sluis policy check` afdrukt.",
        ),
    ),
    Page(
        code="ANSWER_NOT_ALLOWED",
        severity="refuse",
        en=PageText(
            title="An answer to what is refused",
            means="`answered:` names a finding that no answer can set aside.",
            matters="What is unlawful or contradictory does not become right by a reason.",
            mend="Mend the finding, and remove the answer.",
        ),
        nl=PageText(
            title="Een antwoord op wat geweigerd is",
            means="`answered:` noemt een bevinding die geen antwoord opzij kan zetten.",
            matters="Wat onrechtmatig of tegenstrijdig is wordt niet goed door een reden.",
            mend="Herstel de bevinding, en verwijder het antwoord.",
        ),
    ),
    Page(
        code="ANSWER_IN_FUTURE",
        severity="refuse",
        en=PageText(
            title="An answer from the future",
            means="The day of an answer is still to come.",
            matters="Nobody has judged it yet.",
            mend="Write the day on which the answer was given.",
        ),
        nl=PageText(
            title="Een antwoord uit de toekomst",
            means="De dag van een antwoord moet nog komen.",
            matters="Niemand heeft het nog beoordeeld.",
            mend="Schrijf de dag waarop het antwoord gegeven is.",
        ),
    ),
    Page(
        code="ANSWER_IDLE",
        severity="note",
        en=PageText(
            title="An answer to nothing",
            means="`answered:` names a finding that does not occur in this purpose.",
            matters="If the finding comes back later, this old answer would silence it.",
            mend="Remove the answer.",
        ),
        nl=PageText(
            title="Een antwoord op niets",
            means="`answered:` noemt een bevinding die in dit doel niet voorkomt.",
            matters="Als de bevinding later terugkomt zou dit oude antwoord haar stilleggen.",
            mend="Verwijder het antwoord.",
        ),
    ),
    Page(
        code="SHADOW_IDLE",
        severity="note",
        en=PageText(
            title="A shadow that sees no questions",
            means="The purpose that this one shadows is not active.",
            matters="No question is decided under it, so a shadow of some weeks shows nothing.",
            mend="Name an active purpose, or wait until it is.",
        ),
        nl=PageText(
            title="Een schaduw die geen vragen ziet",
            means="Het doel waarvan dit de schaduw is, is niet actief.",
            matters="Er wordt geen vraag onder beslist, dus een schaduw van enkele weken laat niets zien.",
            mend="Noem een actief doel, of wacht tot het dat is.",
        ),
    ),
    Page(
        code="LOG_TOO_SHORT",
        severity="note",
        en=PageText(
            title="The log does not cover a year",
            means="The export begins less than a year ago, or ends more than 31 days ago.",
            matters="What was never used in a year can only be said of a log of that year.",
            mend="Give an export that begins a year ago or before and runs until now.",
        ),
        nl=PageText(
            title="Het logboek beslaat geen jaar",
            means="De uitvoer begint minder dan een jaar geleden, of eindigt meer dan 31 dagen geleden.",
            matters="Wat in een jaar nooit gebruikt is, is alleen te zeggen van een logboek van dat jaar.",
            mend="Geef een uitvoer die een jaar of langer geleden begint en tot nu loopt.",
        ),
    ),
    Page(
        code="NEVER_USED",
        severity="answer",
        en=PageText(
            title="A purpose that nobody used",
            means="No question was permitted under it in the past 365 days.",
            matters="What is not used is not necessary (AVG article 5(1)(c)), and can only be misused.",
            mend="Withdraw it, or say why it must stay.",
        ),
        nl=PageText(
            title="Een doel dat niemand gebruikte",
            means="In de afgelopen 365 dagen is er geen vraag onder toegestaan.",
            matters=(
                "Wat niet gebruikt wordt is niet noodzakelijk (AVG artikel 5 lid 1 onder c), en kan alleen "
                "misbruikt worden."
            ),
            mend="Trek het in, of zeg waarom het moet blijven.",
        ),
    ),
    Page(
        code="ATTRIBUTE_NEVER_ASKED",
        severity="answer",
        en=PageText(
            title="An attribute that nobody asked for",
            means="The purpose was used in the past 365 days, and this attribute was never asked.",
            matters="What is not asked is not necessary (AVG article 5(1)(c)).",
            mend="Leave it out, or say why it must stay.",
        ),
        nl=PageText(
            title="Een gegeven waar niemand naar vroeg",
            means="Het doel is in de afgelopen 365 dagen gebruikt, en naar dit gegeven is nooit gevraagd.",
            matters="Wat niet gevraagd wordt is niet noodzakelijk (AVG artikel 5 lid 1 onder c).",
            mend="Laat het weg, of zeg waarom het moet blijven.",
        ),
    ),
)
