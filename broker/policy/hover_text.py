"""What an editor shows over a key of a policy file: for a lawyer, in plain words, one text per key of every model."""

from __future__ import annotations

from collections.abc import Mapping

ABOUT_FILES: Mapping[str, str] = {
    "catalogue": "The closed vocabulary: a word that does not stand here cannot be used in a purpose.",
    "purpose": "Who may ask whom, about what, to learn what, under which law and for how long. What no purpose permits "
    "is denied.",
    "officers": "Who approves purposes, for which parties, and with which key.",
    "test": "What a purpose must permit and deny, with the clock pinned. Run by `sluis policy test`.",
    "question": "One question, to be decided by `sluis policy explain`.",
}

_PURPOSE: Mapping[str, str] = {
    "purpose": "The name of the purpose: the same as the file's name without .yaml. It is logged with every exchange, "
    "so it never changes its meaning.",
    "title": "The question that this purpose answers, in Dutch and in English.",
    "because": "Why the exchange is needed: what goes wrong without it, and why no less will do. Read by whoever "
    "signs, and by the supervisory authority.",
    "state": "draft and shadow never release anything; active permits; suspended and withdrawn deny. Only a new signed "
    "revision changes it.",
    "asks": "The parties that may ask, or groups of the catalogue. Never a wildcard.",
    "on_behalf_of": "Pairs of a processor and the principal for whom it may ask. A processor named here never asks for "
    "itself.",
    "answers": "The parties that may be asked, or groups of the catalogue.",
    "about": "What a question is about: a subject type of the catalogue. Natural persons need mode oblivious.",
    "identified_by": "The identifiers by which a subject may be named. Only pseudonyms of them leave the agency.",
    "weakest_match_key": "How many of an identifier's match keys may be used, from the strictest. Leave it out to "
    "allow all.",
    "may_learn": "What an answer may hold: hits, named attributes, a count. Nothing else is ever released.",
    "legal_basis": "The law that this rests on: a legal basis of the catalogue.",
    "use_only_for": "What the answer may be used for and, if need be, what not. A duty on the asker, part of every "
    "permit.",
    "processing_activity": "Address (URI) of this processing in the register of processing activities (AVG 30).",
    "dpia": "The data protection impact assessment (AVG 35). An active purpose must name one.",
    "pseudonyms": "How identifiers become pseudonyms, how long one key holds, who makes the key, and in mode oblivious "
    "which key services take part.",
    "look_back": "How far back records may go. Applied by the party that answers and declared in its register.",
    "valid_on": "Only records that are valid on the register's as-of date.",
    "exclude_natural_persons": "Whether natural persons, such as sole traders, are left out of the register.",
    "hit_only_if_natural_person": "Whether of a natural person only the hit may be learned, never an attribute.",
    "human_check": "A person checks every hit before anything is done with it. A duty on the asker.",
    "deliver_every_days": "The party that answers renews its register at least every so many days. A duty: a breach is "
    "a finding in the audit, not a denial.",
    "answer_keep_days": "How many days the asker may keep an answer. At most what the legal basis allows.",
    "vault_keep_days": "How many days the broker keeps what proves an exchange. Not the answer: that it cannot read.",
    "case_number": "Every question names a case, in the form that the catalogue gives for the asker.",
    "cooperation_ref": "Every question names the co-operation within which it is asked.",
    "limits": "How much may be asked.",
    "probing": "Guards against probing: what is reported or refused when a party asks the same again, in parts, or "
    "about ever more. Left out: none.",
    "answers_live": "Parties of `answers` that deposit no register: each question is put to them while its asker "
    "waits.",
    "standing_questions": "Whether a question may be put again when its answerer has published a newer register, and "
    "for how long. Each time counts as a question. Left out: not.",
    "valid": "First and last day of this purpose, both included, in Amsterdam. Every purpose ends.",
    "written_by": "The officer who wrote it. That officer's approval does not count: four eyes.",
    "answered": "Answers of a person to findings of `sluis policy check`. They are signed with the file.",
    "shadow_of": "The active purpose whose questions are also decided under this one: logged, never enforced.",
    "lifts": "Suspension notices that end with this text, by their ids.",
}
_CATALOGUE: Mapping[str, Mapping[str, str]] = {
    "Catalogue": {
        "catalogue": "The name of this catalogue.",
        "remark": "A remark for readers. It is signed with the rest and decides nothing.",
        "parties": "The organisations that may ask or answer, by a short name.",
        "groups": "Lists of parties under one name. A party that is not listed is not in it.",
        "auditors": "Parties that read the exchange log, and therefore take part in no exchange.",
        "subject_types": "What questions can be about.",
        "identifiers": "The numbers and names by which subjects are matched.",
        "attributes": "The facts that can be learned.",
        "legal_bases": "The laws on which purposes rest.",
        "dpias": "The data protection impact assessments (AVG 35), by the key that purposes name.",
        "key_services": "The services that take part in making pseudonyms of natural persons (mode oblivious), each "
        "without seeing whose.",
        "guardrails": "Limits on every purpose, whatever it says.",
    },
    "Citation": {
        "citation": "The law, with article and paragraph.",
        "to_be_confirmed": "What a lawyer must still do. Remove it once the citation has been read in the law itself.",
    },
    "Party": {
        "title": "The full name of the organisation.",
        "oin": "Its Organisatie-identificatienummer: 20 characters, as in its certificate.",
        "sub_oins": "Further OINs under which it takes part.",
        "kind": "public or private. A national number never meets a private party.",
        "bsn_entitled": "The law that lets it use the BSN (UAVG 46). Without it, it never may.",
        "left_on": "The last day on which it takes part. Leave it out as long as it does.",
        "answers_at_most": "What it is able and willing to answer, whoever asks. A purpose may not ask more of it.",
        "case_number": "The form of its own case numbers, such as NLA-[0-9]{4}-[0-9]{4,6}. A form in which a BSN would "
        "fit is refused.",
    },
    "SubjectType": {
        "title": "What it is called.",
        "natural_person": "Whether it is a natural person. Purposes about natural persons need mode oblivious.",
    },
    "Identifier": {
        "title": "What it is called.",
        "about": "The subject type that it identifies.",
        "national_number": "Whether it is the number of a natural person issued by the state (BSN).",
        "treated_as_bsn": "Whether it can hold a BSN, so that the same rules hold (loonheffingennummer of a sole "
        "trader).",
        "rows_per_pseudonym": "How many records one value may have, such as several fines of one establishment.",
        "match_keys": "In how many ways, from strict to loose, a value can be matched.",
    },
    "Attribute": {
        "title": "What it is called.",
        "meaning": "What it says, precisely enough to be read the same way by both sides.",
        "type": "The kind of value.",
        "unit": "What is counted, where it is a number.",
        "codes": "The values that it can have, where it is a code, each in both languages.",
        "width": "Bytes to which every sealed value is padded, so that its length tells nothing. Long enough for the "
        "longest value.",
        "holders": "The parties, or groups, that hold it and can answer it.",
        "special_category": "Whether it is data that AVG article 9 or 10 protects specially. It then needs a legal "
        "basis that lifts the ban.",
        "identifies": "The identifier whose value it shows: who learns it can ask with it under another purpose.",
    },
    "InForce": {"from": "The first day on which the law holds.", "until": "The last day on which it holds."},
    "LegalBasis": {
        "citation": "The law, with article and paragraph.",
        "summary": "What it says, in a sentence.",
        "dpv": "The ground of AVG article 6 as a term of the W3C Data Privacy Vocabulary, such as eu-gdpr:A6-1-e.",
        "longest_retention_days": "The longest that an answer may be kept under it.",
        "in_force": "The days on which it holds. Leave out what is open.",
        "special_categories": "Special categories of data that may be processed under it, each with the law that lifts "
        "the ban.",
        "to_be_confirmed": "What a lawyer must still do. Remove it once the citation has been read in the law itself.",
    },
    "Dpia": {
        "title": "What was assessed.",
        "decided_on": "The day on which it was decided.",
        "review_by": "The last day on which it counts without a review (AVG 35(11)).",
    },
    "KeyService": {
        "title": "What it is called.",
        "operator": "The party that runs it, or `broker` for the broker's own. A purpose needs two operators.",
    },
    "Guardrails": {
        "national_number_with_private_party": "Fixed: a national number never meets a private party.",
        "natural_persons": "Fixed: purposes about natural persons are in mode oblivious.",
        "smallest_min_group": "No purpose may release a count of fewer than this.",
        "most_subjects_per_request": "No purpose may allow a larger question.",
        "longest_vault_keep_days": "No purpose may keep the proof of an exchange longer.",
        "longest_validity_days": "No purpose may be valid for longer; then it is judged anew.",
    },
}
_LIMITS: Mapping[str, str] = {
    "subjects_per_request": "The most subjects in one question.",
    "requests_per_day": "The most questions of one party in a day, from midnight to midnight in Amsterdam.",
}
_PARTS: Mapping[str, Mapping[str, str]] = {
    "Wording": {"nl": "In Dutch.", "en": "In English."},
    "OnBehalfOf": {
        "processor": "The party that asks.",
        "principal": "The party for whom it asks. The log names both.",
    },
    "MayLearn": {
        "hit": "Whether it may be learned of each subject whether it is in the register.",
        "attributes": "The attributes that may be learned, each with its necessity: why less would not do.",
        "count": "How a number of hits may be learned. Never together with hits or attributes in one question.",
    },
    "CountRule": {
        "min_group": "A smaller number is never released, nor one that leaves out fewer than this.",
        "bands": "Lower bounds of the bands in which the number is given: [5, 10, 50] gives 5-9, 10-49, 50 or more.",
        "per_epoch": "How many counts a party may ask per key period.",
    },
    "Pseudonyms": {
        "mode": "keyed for company numbers, addresses and bulk; oblivious for natural persons.",
        "epoch": "How long one key holds. Pseudonyms of two periods cannot be joined.",
        "steward": "The party that makes the key. It must ask or answer under this purpose.",
        "successors": "Who may make or hand on the key if the steward cannot, in the order to call them. Participants.",
        "overlap_days": "On so many first days of a period the key before may still be asked under, so that nobody "
        "waits for a register that is late. 1 to 28; left out: none.",
        "key_services": "In mode oblivious: two or more key services of the catalogue, not all of one operator.",
        "public_keys": "In mode oblivious: for each epoch the public key of each key service, as it printed them. "
        "Nobody takes another key from a service.",
    },
    "LookBack": {"years": "How many years back.", "counted_from": "From which day the years are counted back."},
    "Limits": {
        **_LIMITS,
    },
    "PurposeLimits": {
        **_LIMITS,
        "subject_searches_per_day": "How often a party may search for a person in its own exchanges in a day, for a "
        "request under GDPR article 15; each search is of one epoch. Left out: 50. Enough for the requests that a day "
        "brings, and too few to find out about many.",
        "evaluations_per_epoch": "In mode oblivious: how many values a party may have evaluated by each key service in "
        "an epoch. A value that was evaluated before in the epoch costs nothing. It is what keeps a party from trying "
        "all numbers.",
        "register_evaluations_per_epoch": "The same for a party that answers, which has its whole register evaluated. "
        "Leave it out where no register is larger than what one party asks.",
    },
    "Probing": {
        "same_question": "How many earlier questions of the key period may have had exactly these subjects.",
        "nested_question": "How many earlier questions may lie inside this one, or around it.",
        "asked_again": "How many earlier questions may have asked about one and the same subject of this one.",
        "subjects_per_hour": "The most subjects within 60 minutes: so that a question that is too large is not split.",
        "subjects_per_epoch": "The most different subjects in a key period: so that nobody goes through all there are.",
        "hits_per_hundred": "The fewest hits among a hundred subjects: who guesses has few.",
    },
    "AtMost": {
        "at_most": "The bound. For questions: the earlier ones; for subjects: with those of this question.",
        "then": "report: permitted, and to be explained in the log. refuse: denied.",
    },
    "AtLeast": {
        "at_least": "The bound, 1 to 100.",
        "then": "report: permitted, and to be explained in the log. refuse: denied.",
    },
    "StandingQuestions": {"days": "For how many days after it was first put, and no longer than its key period."},
    "Validity": {"from": "The first day.", "until": "The last day, included."},
    "Answered": {
        "finding": "The code of the finding, as `sluis policy check` prints it.",
        "by": "The function of who answers. Never a person's name.",
        "on": "The day of the answer.",
        "reason": "Why the finding is accepted here.",
    },
    "Officers": {"officers": "The officers, by a short name of the function."},
    "Officer": {
        "title": "The function, in Dutch and in English. Never a person's name.",
        "signs_for": "The parties or groups for which this officer approves.",
        "key": "The officer's public key, as `sluis policy sign` prints it: 64 hex digits.",
    },
}
_TESTS: Mapping[str, Mapping[str, str]] = {
    "TestFile": {
        "holds": "Lines of the purpose that decide nothing at the gate and must not change, nested as there.",
        "purpose": "The purpose that is tested.",
        "at": "The moment at which the questions are decided, in UTC.",
        "given": "The question from which every case starts.",
        "cases": "The cases: what changes, and what must come of it.",
    },
    "Expectation": {
        "name": "What this case shows, in a sentence.",
        "when": "What is different from `given`.",
        "expect": "permit or deny.",
        "because": "For a denial: the checks that must fail, all of them.",
    },
    "AskedBefore": {
        "same": "Earlier questions about exactly these subjects. Left out: 0.",
        "nested": "Earlier questions inside or around this one. Left out: 0.",
        "again": "Earlier questions about one of these subjects, the one with the most. Left out: 0.",
        "hour": "Subjects within 60 minutes, with this question's. Left out: this question's.",
        "epoch": "Different subjects in the key period, with this question's. Left out: this question's.",
        "hits": "Hits among the last hundred subjects; null or left out: not known yet.",
    },
    "Standing": {
        "first": "same: it is its first question again. unknown, other, gone: it is not, or nothing shows it.",
        "newer": "Whether the answerer has published a newer register since it last answered. Left out: true.",
        "days": "Whole days since the first question. Left out: 0.",
    },
    "Question": {
        "purpose": "The purpose under which it is asked.",
        "at": "The moment at which it is decided, in UTC.",
        "asks": "The party that asks.",
        "on_behalf_of": "The party for whom it is asked; null or left out: for itself.",
        "answers": "The party that is asked.",
        "identified_by": "The identifier by which the subjects are named.",
        "match_keys": "How many match keys are used. Left out: 1.",
        "epoch": "The key period, such as 2026Q4. Left out: the one in force.",
        "want": "What is asked: names of attributes, hit, count.",
        "subjects": "How many subjects it is about. Left out: 1.",
        "case_number": "The case number; null or left out: none is given.",
        "cooperation_ref": "The reference of the co-operation; null or left out: none is given.",
        "requests_today": "How many questions were permitted earlier that day. Left out: 0.",
        "counts_this_epoch": "How many counts were permitted earlier in the key period. Left out: 0.",
        "count_distance": "By how many subjects the count differs from an earlier one; null or left out: none.",
        "register_rules": "What the register declares. Left out: what the purpose demands; null: there is no register.",
        "asked_before": "What was asked earlier, as guards against probing count it. Left out: nothing.",
        "standing": "That it is an earlier question put again. Left out: it is not.",
        "oblivious_available": "Whether the broker offers mode oblivious. Left out: true.",
        "suspended_since": "When a notice suspended the purpose; null or left out: none did.",
    },
}
HOVER: Mapping[str, str] = {
    f"{model}.{key}": text
    for models in ({"Purpose": _PURPOSE}, _CATALOGUE, _PARTS, _TESTS)
    for model, keys in models.items()
    for key, text in keys.items()
}
"""By model and key, such as `Purpose.asks`."""
