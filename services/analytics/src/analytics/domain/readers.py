"""Whose numbers somebody may see: decided here once for series, files and streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from analytics.domain.metric import TENANT, Grouping
from service_kit.errors import Forbidden, NotFound

THERAPIST = "therapist_id"


class SeriesNotFound(NotFound):
    """There is no such group, or it is not the caller's: both get the very same answer."""

    slug, title = "series-not-found", "There is no such series"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The groups that are asked for: by which dimensions, and which values if not all."""

    group: Grouping = TENANT
    only: Mapping[str, str] | None = None

    def takes(self, dimensions: Mapping[str, str]) -> bool:
        """Whether a series is among them."""
        if set(dimensions) != set(self.group):
            return False
        return self.only is None or all(dimensions.get(name) == value for name, value in self.only.items())


ALL = Chosen()


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads results: all of an organisation's, or those about one therapist alone."""

    therapist_id: UUID | None = None

    @property
    def sees_all(self) -> bool:
        return self.therapist_id is None

    def may_see(self, dimensions: Mapping[str, str]) -> bool:
        """Whether results of this group may be shown."""
        return self.sees_all or dict(dimensions) == {THERAPIST: str(self.therapist_id)}

    def narrowed(self, chosen: Chosen, groupings: Sequence[Grouping]) -> Chosen:
        """What of the chosen groups may be shown: therapists get their own without asking for it, and nothing else.

        Raises Forbidden for what is not split by therapists, and SeriesNotFound for somebody else's series.
        """
        if self.sees_all:
            return chosen
        if chosen.group not in {TENANT, (THERAPIST,)} or (THERAPIST,) not in groupings:
            raise Forbidden
        own = {THERAPIST: str(self.therapist_id)}
        if chosen.only is not None and dict(chosen.only) != own:
            raise SeriesNotFound
        return Chosen((THERAPIST,), own)
