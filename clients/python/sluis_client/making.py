"""What makes pseudonyms under a purpose, in the mode that the verified policy names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sluis_client.errors import ClientError, Exit
from sluis_client.evaluating import Evaluating
from sluis_client.evaluations import EvaluationCache
from sluis_client.key_services import pins_of
from sluis_client.key_states import is_replaced
from sluis_client.keystore import EpochKey
from sluis_client.oblivious import Derivation, ObliviousPseudonymiser, Values
from sluis_client.participant import Participant
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import MODE_KEYED, MODES, Context, Maker, Pseudonymiser, key_id
from sluis_client.secret import Secret
from sluis_client.transport import Progress, silent


def maker_of(
    me: Participant,
    view: PurposeView,
    context: Context,
    key: Secret,
    scheme_id: str,
    *,
    progress: Progress = silent,
    known_only: bool = False,
    before: Callable[[], None] = lambda: None,
) -> Maker:
    """The maker of pseudonyms of a purpose, epoch and scheme.

    In mode `oblivious` it asks the key services for what this agency has not had evaluated in the epoch. `known_only`:
    it asks nobody, and fails with NOT_EVALUATED for a subject that was not evaluated: for looking into past epochs.
    `before` is called when something must be evaluated, and may refuse it.

    Raises:
        ClientError: KEY_SERVICES_UNFIT, SERVICE_KEYS_MISSING, KEY_SERVICE_UNKNOWN; making raises as `Evaluating`.
    """
    if context.mode == MODE_KEYED:
        return Pseudonymiser(key, context, scheme_id)
    pins = pins_of(view, context.epoch)
    derivation = Derivation(key, context, pins.public_keys)
    bound = [
        derivation.key_id,
        *(part for service in derivation.services for part in (service, pins.public_keys[service])),
    ]
    cache = EvaluationCache(me.keystore, context.purpose, context.epoch, bound)
    connect = me.key_service_of(view)
    values: Values = Evaluating(
        derivation, pins, cache, connect, progress=progress, told=me.tell_evaluations, before=before
    )
    return ObliviousPseudonymiser(derivation, scheme_id, _only_known(cache) if known_only else values)


def maker_of_kept(me: Participant, kept: EpochKey, scheme_id: str, *, progress: Progress = silent) -> Maker:
    """The maker under a K that is kept here, of any epoch, in the mode that its key id shows.

    In mode `oblivious` nobody is asked about an epoch that has ended, or whose key was replaced before its end: then
    only what was evaluated in it is known.

    Raises:
        ClientError: KEY_ID_WRONG when the key id is of neither mode; as `maker_of`.
    """
    context = context_of_kept(kept, me.profile.origin, me.profile.environment)
    if context.mode == MODE_KEYED:
        return Pseudonymiser(kept.key, context, scheme_id)
    over = me.now() >= kept.valid_until or is_replaced(kept, me.keystore.epoch_keys())
    view = me.purpose(kept.purpose)
    return maker_of(me, view, context, kept.key, scheme_id, progress=progress, known_only=over)


def context_of_kept(kept: EpochKey, origin: str, environment: str) -> Context:
    """The context under which the key id of a kept K was made. Raises KEY_ID_WRONG."""
    for mode in MODES:
        context = Context(origin, environment, kept.purpose, kept.epoch, mode)
        if key_id(kept.key, context) == kept.key_id:
            return context
    text = f"the key kept for {kept.purpose} {kept.epoch} is of another log or environment than the profile's"
    raise ClientError("KEY_ID_WRONG", text, Exit.KEY_TROUBLE)


def _only_known(cache: EvaluationCache) -> Values:
    def values(inputs: Sequence[bytes]) -> Mapping[bytes, bytes]:
        found = cache.values(inputs)
        if len(found) < len(inputs):
            text = (
                "this agency had no pseudonym made for such a subject in that epoch, or its evaluations are destroyed"
            )
            raise ClientError("NOT_EVALUATED", text, Exit.KEY_TROUBLE)
        return found

    return values
