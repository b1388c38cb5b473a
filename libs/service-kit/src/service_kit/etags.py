"""Revisions as ETags: a change says which revision it was made from, so that nobody overwrites what he has not seen."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header

from service_kit.errors import PreconditionFailed, PreconditionRequired

_REVISION = re.compile(r'"([1-9][0-9]{0,9})"')


def etag(revision: int) -> str:
    """The strong ETag of a revision, such as `"3"`."""
    return f'"{revision}"'


def revision_seen(if_match: str | None) -> int:
    """The revision that an If-Match header names; PreconditionRequired without one, PreconditionFailed for no ETag of ours."""
    if if_match is None:
        raise PreconditionRequired
    found = _REVISION.fullmatch(if_match.strip())
    if found is None:
        raise PreconditionFailed
    return int(found[1])


async def _if_match(
    if_match: Annotated[str | None, Header(alias="If-Match", description='The ETag last seen, such as `"3"`.')] = None,
) -> int:
    return revision_seen(if_match)


IfMatch = Annotated[int, Depends(_if_match)]
"""The revision named by the If-Match header, as a route's parameter: `seen: IfMatch`."""
