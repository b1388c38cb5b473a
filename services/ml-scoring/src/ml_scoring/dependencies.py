"""What a route may ask for: who may call, what he may read, the models, the unit of work, the time."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from bloom_events.auth import Role
from bloom_events.ids import UserId
from ml_scoring.clients.model_registry import ModelRegistry
from ml_scoring.clients.model_shelf import ModelShelf
from ml_scoring.domain.models import ModelReference, UnknownModel
from ml_scoring.domain.readers import MemberReader
from service_kit.request_scope import CallerUnitOfWork, Now, kit_of, require_role
from service_kit.tokens import Caller

__all__ = ["Administrator", "Named", "Now", "Reader", "Registry", "Shelf", "Staff", "Uow"]

Uow = CallerUnitOfWork
Administrator = Annotated[Caller, Depends(require_role(Role.ADMINISTRATOR))]
Staff = Annotated[Caller, Depends(require_role(Role.THERAPIST, Role.ADMINISTRATOR))]
"""Therapists and administrators: patients are not told what a model says about a text."""

_Therapist = Annotated[Caller, Depends(require_role(Role.THERAPIST))]


async def _reader(therapist: _Therapist) -> MemberReader:
    return MemberReader(UserId(therapist.subject))


async def _shelf(request: Request) -> ModelShelf:
    shelf: ModelShelf = kit_of(request).resources["shelf"]
    return shelf


async def _registry(request: Request) -> ModelRegistry:
    registry: ModelRegistry = kit_of(request).resources["registry"]
    return registry


async def _named(name: Annotated[str, Path(max_length=64)], version: Annotated[str, Path(max_length=64)]) -> ModelReference:
    try:
        return ModelReference(name, version)
    except ValueError:
        raise UnknownModel from None


Reader = Annotated[MemberReader, Depends(_reader)]
"""A therapist, who reads the analyses of his own conversations."""

Shelf = Annotated[ModelShelf, Depends(_shelf)]
Registry = Annotated[ModelRegistry, Depends(_registry)]

Named = Annotated[ModelReference, Depends(_named)]
"""The model that the path names; what could not be the name of one is unknown."""
