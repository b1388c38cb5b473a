"""Building blocks of the bodies: names in camelCase, and fields with their rules."""

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel

from auth.domain.tenants import SLUG
from auth.domain.users import EmailAddress, is_locale, is_time_zone, normalise_email
from bloom_events.event import PlainText


class RequestBody(BaseModel):
    """A body that takes exactly its own fields."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class ResponseBody(BaseModel):
    """A body that is answered."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def read_email(text: str) -> EmailAddress:
    """Check an address's form, without asking the network; the error never repeats it."""
    try:
        # Reserved test domains are no harm: nobody can receive mail there.
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("not an e-mail address") from None
    return normalise_email(found.normalized)


def _time_zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError("not a time zone of the IANA database")
    return name


def _locale(tag: str) -> str:
    if not is_locale(tag):
        raise ValueError("not a locale such as en or de-AT")
    return tag


Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(read_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254, "examples": ["robin@example.test"]}),
]
DisplayName = Annotated[PlainText, StringConstraints(strip_whitespace=True), Field(examples=["Dr. Robin Vale"])]
Locale = Annotated[str, StringConstraints(max_length=35), AfterValidator(_locale), Field(examples=["en-GB"])]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_time_zone), Field(examples=["Europe/Vienna"])]
# Longer than any policy, so that the policy's own answer is the one that people see.
PasswordText = Annotated[SecretStr, Field(min_length=1, max_length=1024, examples=["correct horse battery staple"])]
TenantSlug = Annotated[str, StringConstraints(max_length=63, pattern=f"^{SLUG.pattern}$"), Field(examples=["bloom"])]
