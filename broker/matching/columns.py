"""Pseudonym columns as integers: the little arithmetic that the join, the release rules and the guard share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from broker.exchange import Pseudonyms, Question

U64 = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.intp]


def halves(pseudonyms: Pseudonyms) -> tuple[U64, U64]:
    """The 16-byte values as two columns of integers; equal values have equal halves."""
    pairs = np.ascontiguousarray(pseudonyms).view(np.uint64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def groups(pseudonyms: Pseudonyms) -> tuple[Positions, npt.NDArray[np.bool_]]:
    """An order that puts equal values side by side, and a mark on the first of each value."""
    high, low = halves(pseudonyms)
    order = np.argsort(high)
    ordered = high[order]
    if np.any(ordered[1:] == ordered[:-1]):  # repeats: the second half decides whether they are one value
        order = np.lexsort((low, high))
        ordered = high[order]
    first = np.ones(len(order), np.bool_)
    second = low[order]
    first[1:] = (ordered[1:] != ordered[:-1]) | (second[1:] != second[:-1])
    return order, first


def distinct(pseudonyms: Pseudonyms) -> Pseudonyms:
    """Each value once."""
    order, first = groups(pseudonyms)
    return pseudonyms[order[first]]


def subjects(question: Question) -> tuple[Pseudonyms, npt.NDArray[np.bool_]]:
    """Who each row asks about: its strictest pseudonym present, and whether it has one at all."""
    tokens = question.columns[0].pseudonyms
    known = question.columns[0].present
    for column in question.columns[1:]:
        if known.all():
            break
        tokens = np.where(known, tokens, column.pseudonyms)
        known = known | column.present
    return tokens, known
