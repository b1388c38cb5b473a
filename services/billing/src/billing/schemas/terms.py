"""Bodies of the price list and the policy."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from billing.domain.terms import MAX_LATE_WINDOW_HOURS, MAX_PAYMENT_TERM_DAYS, Policy, Price, PriceList
from billing.schemas.fields import AmountMinor, Currency, IssuerName, Moment, Percentage, Request, Response, TaxBasisPoints
from bloom_events.appointments import VisitType

_PRICE: JsonDict = {"visitType": "standard", "currency": "EUR", "netMinor": 12_000, "taxBasisPoints": 1_900}
_POLICY: JsonDict = {
    "lateWindowHours": 24,
    "latePercent": 50,
    "noShowPercent": 100,
    "paymentTermDays": 14,
    "issuerName": "Vale Practice Ltd",
}
_MOST_PRICES = 50


class PriceRequest(Request):
    """What a type of visit costs from a moment on; without `validFrom` at once. A price cannot start in the past."""

    visit_type: VisitType
    currency: Currency
    net_minor: AmountMinor
    tax_basis_points: TaxBasisPoints
    valid_from: Moment | None = None


class PriceListRequest(Request):
    """Prices to add. Types of visit that are not named keep theirs; nothing that was ever set is lost."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prices": [_PRICE]}]})

    prices: Annotated[list[PriceRequest], Field(min_length=1, max_length=_MOST_PRICES)]

    @model_validator(mode="after")
    def _each_visit_type_once(self) -> Self:
        if len({price.visit_type for price in self.prices}) != len(self.prices):
            raise ValueError("each type of visit may be named once")
        return self


class PriceResponse(Response):
    """A price; the one that is in force for visits that start now says so."""

    visit_type: VisitType
    currency: str
    net_minor: int
    tax_basis_points: int
    valid_from: Moment
    revision: int
    is_in_force: bool

    @classmethod
    def of(cls, price: Price, *, is_in_force: bool) -> Self:
        return cls(
            visit_type=price.visit_type,
            currency=price.currency,
            net_minor=price.net_minor,
            tax_basis_points=price.tax_basis_points,
            valid_from=price.valid_from,
            revision=price.revision,
            is_in_force=is_in_force,
        )


class PriceListResponse(Response):
    """Every price ever set, by type of visit and start."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"prices": [{**_PRICE, "validFrom": "2026-01-01T00:00:00Z", "revision": 1, "isInForce": True}], "revision": 1}
            ]
        }
    )

    prices: list[PriceResponse]
    revision: int = Field(description="Counts the changes of the list.")

    @classmethod
    def of(cls, prices: PriceList, now: datetime) -> Self:
        in_force = {prices.price_of(visit_type, now) for visit_type in VisitType}
        shown = [PriceResponse.of(price, is_in_force=price in in_force) for price in prices.history()]
        return cls(prices=shown, revision=prices.revision)


class PolicyRequest(Request):
    """What is owed for visits that do not take place, and how invoices look; in force at once."""

    model_config = ConfigDict(json_schema_extra={"examples": [_POLICY]})

    late_window_hours: Annotated[int, Field(ge=0, le=MAX_LATE_WINDOW_HOURS, strict=True)]
    late_percent: Percentage
    no_show_percent: Percentage
    payment_term_days: Annotated[int, Field(ge=0, le=MAX_PAYMENT_TERM_DAYS, strict=True)]
    issuer_name: IssuerName

    def policy(self) -> Policy:
        """The policy as the domain holds it."""
        return Policy(**self.model_dump())


class PolicyResponse(Response):
    """The policy in force."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_POLICY, "revision": 1}]})

    late_window_hours: int = Field(description="A patient who cancels later than so many hours before the start pays.")
    late_percent: int = Field(description="The part of the price owed for a late cancellation.")
    no_show_percent: int = Field(description="The part of the price owed for a visit that the patient missed.")
    payment_term_days: int
    issuer_name: str
    revision: int = Field(description="Counts the changes; 0 while the platform's own policy is in force.")

    @classmethod
    def of(cls, policy: Policy) -> Self:
        return cls(
            late_window_hours=policy.late_window_hours,
            late_percent=policy.late_percent,
            no_show_percent=policy.no_show_percent,
            payment_term_days=policy.payment_term_days,
            issuer_name=policy.issuer_name,
            revision=policy.revision,
        )
