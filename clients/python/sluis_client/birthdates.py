"""Dates of birth as exports write them, to `YYYYMMDD`. Day first; partial dates and American order are refused."""

from __future__ import annotations

import re
from datetime import date, timedelta

from sluis_client.cells import Reason, Unusable, tidy

_TIME = r"(?:[ T]00:00(?::00(?:[.,]0+)?)?Z?)?"
_YEAR_FIRST = re.compile(rf"([0-9]{{4}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{1,2}}){_TIME}")
_DAY_FIRST = re.compile(rf"([0-9]{{1,2}})[-/. ]([0-9]{{1,2}})[-/. ]([0-9]{{4}}){_TIME}")
_NAMED = re.compile(r"([0-9]{1,2})[-/. ]([A-Za-z]{3,9})\.?[-/. ]([0-9]{4})")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[.,]0)?")
_SERIAL = re.compile(r"([0-9]{5})(?:[.,]0+)?")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}[-/. ](?:[0-9]{1,2}|[A-Za-z]{3,9}\.?)[-/. ][0-9]{2}")
_PARTIAL = re.compile(r"[0-9]{4}(?:[-/.][0-9]{1,2})?|(?:[0-9]{1,2}|[A-Za-z]{3,9}\.?)[-/. ][0-9]{4}")
_YEAR_MONTH = re.compile(r"([0-9]{4})(?:[-/.]([0-9]{1,2}))?|([0-9]{1,2})[-/. ]([0-9]{4})")
_BLANKED = re.compile(r"(?=.*[0-9])(?=.*[?xX*_])[0-9?xX*_]{1,4}(?:[-/. ][0-9?xX*_]{1,4}){1,2}")
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan januari january",
            "feb februari february",
            "mrt maa mar maart march",
            "apr april",
            "mei may",
            "jun juni june",
            "jul juli july",
            "aug augustus august",
            "sep sept september",
            "okt oct oktober october",
            "nov november",
            "dec december",
        ),
        start=1,
    )
    for name in names.split()
}
# Excel's 1900 system counts a 29 February 1900 that never was; from serial 61 on this origin makes up for it.
_EXCEL_ORIGIN = date(1899, 12, 30)


def birth_date(cell: str, column: str = "birth_date") -> str:
    """The date in `cell` as `YYYYMMDD`.

    Read: ISO (`1990-12-31`, with a midnight time or not), day first (`31-12-1990`, `31/12/1990`, `31.12.1990`,
    `31 dec 1990`), `19901231`, and a serial number of Excel's 1900 system with five digits (from 18 May 1927 on).

    Raises:
        Unusable: the reasons on dates, or as `tidy`. A day, month or year of zeros is DATE_PARTIAL.
    """
    text = tidy(column, cell)
    found = _year_month_day(column, text)
    if found is None:
        raise Unusable(column, _shape(text))
    year, month, day = found
    if not (year and month and day):
        raise Unusable(column, Reason.DATE_PARTIAL)
    if month > 12 >= day and _DAY_FIRST.fullmatch(text):
        raise Unusable(column, Reason.DATE_ORDER)
    try:
        when = date(year, month, day)
    except ValueError:
        raise Unusable(column, Reason.DATE_INVALID) from None
    if not 1880 <= when.year <= 2099:
        raise Unusable(column, Reason.DATE_RANGE)
    return when.strftime("%Y%m%d")


def known_parts(cell: str, column: str = "birth_date") -> tuple[int, int, int]:
    """Year, month and day of birth as far as the cell tells them; 0 for what it does not.

    As `birth_date`, but a partial date (`1990`, `05-1990`, `00-05-1990`, `1990-00-00`) gives what is known, and a
    day that does not exist (`31-02-1990`) or a month above 12 counts as unknown with all below it. Nothing is guessed:
    dates are day first, and `12-31-1990` stays refused, since it shows that the file writes them otherwise.

    Raises:
        Unusable: DATE_SHAPE, DATE_YEAR, DATE_ORDER, DATE_RANGE, or as `tidy`; DATE_PARTIAL when not even the year is
            known.
    """
    text = tidy(column, cell)
    found = _year_month_day(column, text) or _year_month(text)
    if found is None:
        raise Unusable(column, _shape(text))
    year, month, day = found
    if not year:
        raise Unusable(column, Reason.DATE_PARTIAL)
    if not 1880 <= year <= 2099:
        raise Unusable(column, Reason.DATE_RANGE)
    if month > 12 >= day and _DAY_FIRST.fullmatch(text):
        raise Unusable(column, Reason.DATE_ORDER)
    if not 1 <= month <= 12:
        return year, 0, 0
    try:
        return year, month, date(year, month, day).day
    except ValueError:
        return year, month, 0


def _year_month(text: str) -> tuple[int, int, int] | None:
    found = _YEAR_MONTH.fullmatch(text)
    if found is None:
        return None
    year, month = (found[1], found[2]) if found[1] else (found[4], found[3])
    return int(year), int(month or 0), 0


def _year_month_day(column: str, text: str) -> tuple[int, int, int] | None:
    if (found := _YEAR_FIRST.fullmatch(text)) or (found := _COMPACT.fullmatch(text)):
        return int(found[1]), int(found[2]), int(found[3])
    if found := _DAY_FIRST.fullmatch(text):
        return int(found[3]), int(found[2]), int(found[1])
    if found := _NAMED.fullmatch(text):
        month = _MONTHS.get(found[2].lower())
        if month is None:
            raise Unusable(column, Reason.DATE_SHAPE)
        return int(found[3]), month, int(found[1])
    if found := _SERIAL.fullmatch(text):
        when = _EXCEL_ORIGIN + timedelta(days=int(found[1]))
        return when.year, when.month, when.day
    return None


def _shape(text: str) -> Reason:
    if _SHORT_YEAR.fullmatch(text):
        return Reason.DATE_YEAR
    if _PARTIAL.fullmatch(text) or _BLANKED.fullmatch(text):
        return Reason.DATE_PARTIAL
    return Reason.DATE_SHAPE
