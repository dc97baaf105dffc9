"""Live questions on the wire."""

from __future__ import annotations

import numpy as np
from sluis.v1 import common_pb2, register_pb2

from broker.live import Offer
from broker.rpc import convert
from broker.statements import Signed


def live_question(offer: Offer) -> register_pb2.LiveQuestion:
    """A question that waits for a live answerer, on the wire."""
    statement = offer.statement
    columns = [
        common_pb2.PseudonymColumn(
            pseudonyms=column.pseudonyms.tobytes(),
            presence=np.packbits(column.present, bitorder="little").tobytes(),
        )
        for column in offer.question.columns
    ]
    return register_pb2.LiveQuestion(
        signed=convert.signed_message(Signed(statement.raw, statement.signature)),
        certificate=offer.certificate,
        tokens_salt=offer.tokens_salt,
        columns=columns,
        ask=convert.receipt_message(offer.ask),
    )
