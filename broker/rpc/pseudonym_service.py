"""PseudonymService: the key service of mode `oblivious`, in a broker or alone."""

from __future__ import annotations

import grpc
from sluis.v1 import pseudonym_pb2, pseudonym_pb2_grpc

from broker.errors import Code, SluisError
from broker.evaluations import MAX_ELEMENTS, Evaluations
from broker.rpc import convert
from broker.rpc.interceptors import StreamSlots, call_of

AT_ONCE_A_PARTY = 4


class PseudonymServicer(pseudonym_pb2_grpc.PseudonymServiceServicer):
    """Translates and delegates to the road of a key service; without one, says so, that silence is no answer."""

    def __init__(self, evaluations: Evaluations | None, workers: int) -> None:
        """`workers`: threads of the server; half of them may evaluate, so that the others' calls go on."""
        self._evaluations = evaluations
        self._slots = StreamSlots(max(1, workers // 2), AT_ONCE_A_PARTY)

    @property
    def available(self) -> bool:
        """Whether there is a key service behind it."""
        return self._evaluations is not None

    def GetPublicKey(
        self, request: pseudonym_pb2.GetPublicKeyRequest, context: grpc.ServicerContext
    ) -> pseudonym_pb2.GetPublicKeyResponse:
        """See pseudonym.proto."""
        road = self._demand()
        purpose = convert.text(request.purpose, "purpose", "name")
        epoch = convert.text(request.epoch, "epoch", "epoch")
        return pseudonym_pb2.GetPublicKeyResponse(public_key=road.public_key(call_of(context).caller, purpose, epoch))

    def Evaluate(
        self, request: pseudonym_pb2.EvaluateRequest, context: grpc.ServicerContext
    ) -> pseudonym_pb2.EvaluateResponse:
        """See pseudonym.proto."""
        road, call = self._demand(), call_of(context)
        request_id = convert.text(request.request_id, "request_id", "uuid")
        call.request_id(request_id)
        purpose = convert.text(request.purpose, "purpose", "name")
        epoch = convert.text(request.epoch, "epoch", "epoch")
        with self._slots.slot(call.caller.party):
            done = road.evaluate(call.caller, request_id, purpose, epoch, request.blinded_elements)
        return pseudonym_pb2.EvaluateResponse(evaluated_elements=done.elements, proof=done.proof)

    def GetEvaluationBudget(
        self, request: pseudonym_pb2.GetEvaluationBudgetRequest, context: grpc.ServicerContext
    ) -> pseudonym_pb2.GetEvaluationBudgetResponse:
        """See pseudonym.proto."""
        road = self._demand()
        budget = road.budget(call_of(context).caller, convert.text(request.purpose, "purpose", "name"))
        return pseudonym_pb2.GetEvaluationBudgetResponse(
            key_service=road.service,
            period=budget.period,
            until=convert.timestamp(budget.until),
            limit=budget.limit,
            spent=budget.spent,
            elements_per_request=MAX_ELEMENTS,
            epochs=[
                pseudonym_pb2.EpochPublicKey(epoch=epoch, public_key=key) for epoch, key in budget.public_keys.items()
            ],
        )

    def _demand(self) -> Evaluations:
        if self._evaluations is None:
            raise SluisError(
                Code.MODE_NOT_AVAILABLE,
                "this broker has no key service: ask those that the purpose names, at their own addresses",
            )
        return self._evaluations
