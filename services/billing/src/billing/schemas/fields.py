"""Building blocks of the bodies: moments, money, texts that can be printed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from babel.numbers import list_currencies
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from billing.domain.money import BASIS_POINTS, MAX_AMOUNT_MINOR, PERCENT

FIRST_YEAR, LAST_YEAR = 2000, 2199

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII)


class Request(BaseModel):
    """A body that a caller sends."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Response(BaseModel):
    """A body that is answered."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def _written_moment(value: object) -> object:
    # Numbers would be read as Unix times, which nobody means here.
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    raise ValueError("must be a date and time with offset, such as 2026-03-02T09:00:00Z")


def _sensible_moment(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment.astimezone(UTC)


def _known_currency(code: str) -> str:
    if code not in list_currencies():
        raise ValueError("must be a currency of ISO 4217")
    return code


def _printable(text: str) -> str:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("must be written in characters of ISO 8859-1, which the PDF's font has") from None
    return text


Moment = Annotated[
    AwareDatetime, BeforeValidator(_written_moment), AfterValidator(_sensible_moment), Field(examples=["2026-03-02T09:00:00Z"])
]
"""A moment with its offset, between the years 2000 and 2199; held in UTC."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_known_currency), Field(examples=["EUR"])]
"""A currency of ISO 4217."""

AmountMinor = Annotated[int, Field(ge=0, le=MAX_AMOUNT_MINOR, strict=True, examples=[12_000])]
"""An amount in the currency's smallest unit, such as cents."""

TaxBasisPoints = Annotated[int, Field(ge=0, le=BASIS_POINTS, strict=True, examples=[1_900])]
"""A tax rate in hundredths of a percent."""

Percentage = Annotated[int, Field(ge=0, le=PERCENT, strict=True, examples=[50])]

IssuerName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$"),
    AfterValidator(_printable),
    Field(examples=["Vale Practice Ltd"]),
]
"""The name at the head of an invoice, in characters of ISO 8859-1."""
