"""Whether the reasons in a purpose are reasons: long enough to say something, and written for this purpose."""

from __future__ import annotations

from collections.abc import Iterator

from broker.policy.lint.finding import Ground, Remark

LEAST_REASON_WORDS = 12
LEAST_NECESSITY_WORDS = 3


def reasons(ground: Ground) -> Iterator[Remark]:
    """`because`: not too short, and not that of another purpose."""
    first: dict[str, str] = {}
    for purpose in ground.kept:
        words = purpose.because.split()
        if len(words) < LEAST_REASON_WORDS:
            text = f"the reason has {len(words)} words; whoever reads the register learns little from it"
            hint = "say what the asker must decide, and why it cannot without this answer"
            yield ground.at(purpose, ("because",), "REASON_SHORT", text, hint)
        said = " ".join(words).casefold()
        other = first.setdefault(said, purpose.name)
        if other not in (purpose.name, purpose.shadow_of) and ground.policies.purposes[other].shadow_of != purpose.name:
            text = f"the reason is that of {other}, word for word"
            hint = "say what differs, or make it one purpose"
            yield ground.at(purpose, ("because",), "REASON_COPIED", text, hint)


def necessities(ground: Ground) -> Iterator[Remark]:
    """The necessity of each attribute: not too short, and not said twice."""
    for purpose in ground.kept:
        first: dict[str, str] = {}
        for name, necessity in purpose.may_learn.attributes.items():
            path = ("may_learn", "attributes", name)
            words = necessity.split()
            if len(words) < LEAST_NECESSITY_WORDS:
                text = f"the necessity of '{name}' is no sentence"
                hint = "say what the asker does differently when it knows this"
                yield ground.at(purpose, path, "NECESSITY_SHORT", text, hint)
            other = first.setdefault(" ".join(words).casefold(), name)
            if other != name:
                text = f"the necessity of '{name}' is that of '{other}', word for word"
                hint = "say why this attribute is needed beside the other, or leave it out"
                yield ground.at(purpose, path, "NECESSITY_COPIED", text, hint)


def uses(ground: Ground) -> Iterator[Remark]:
    """An active purpose that does not say what its answers may be used for."""
    for purpose in ground.judged:
        if purpose.use_only_for is None:
            text = "does not say what the answers may be used for, and for what not"
            yield ground.at(purpose, ("purpose",), "NO_USE_LIMIT", text, "add `use_only_for:` in Dutch and English")
