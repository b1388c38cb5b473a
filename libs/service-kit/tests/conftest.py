"""A small service made of nothing but the kit, on which its parts are tested together."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, ClassVar
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

import service_kit
from bloom_events.auth import Role, UserRegistered
from bloom_events.ids import UserId
from service_kit.errors import NotFound, Problem
from service_kit.etags import IfMatch
from service_kit.http_app import create_service_app
from service_kit.problems import problem_responses
from service_kit.request_scope import CallerOnce, CallerUnitOfWork, CurrentCaller, require_role
from service_kit.revisions import check_revision
from service_kit.settings import ServiceSettings, service_config
from service_kit.testing import TokenIssuer
from service_kit.tokens import Caller
from service_kit.unit_of_work import UnitOfWork


class SampleSettings(ServiceSettings):
    model_config = service_config("SAMPLE_")
    service_name: ClassVar[str] = "sample"


class NoteBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=2000)
    about: UUID | None = None


class NoteResponse(BaseModel):
    id: UUID
    text: str


class NoteTaken(Problem):
    slug, status, title = "note-taken", 409, "There is such a note already"


router = APIRouter()


@router.post("/notes", status_code=201, responses=problem_responses(NoteTaken))
async def write_note(body: NoteBody, once: CallerOnce) -> Response:
    """Writes a note."""
    return await once.answer(201, lambda uow: save_note(uow, body.text), headers=lambda note: {"Location": f"/notes/{note.id}"})


@router.get("/notes/{note_id}", responses=problem_responses(NotFound))
async def read_note(note_id: UUID, uow: CallerUnitOfWork, _caller: CurrentCaller) -> NoteResponse:
    """Reads a note."""
    async with uow.begin() as transaction:
        row = await transaction.connection.fetchrow("select id, text from notes where id = $1", note_id)
    if row is None:
        raise NotFound
    return NoteResponse(id=row["id"], text=row["text"])


@router.post("/echo")
async def echo(body: NoteBody) -> NoteBody:
    """Gives back what it got."""
    return body


@router.put("/echo")
async def change(body: NoteBody, seen: IfMatch) -> NoteBody:
    """Changes revision 3 of something."""
    check_revision(current=3, seen=seen)
    return body


@router.get("/boom")
async def boom(request: Request) -> NoteBody:
    """Fails on whatever came in."""
    raise RuntimeError(f"cannot read {request.url.query}")


@router.get("/admin")
async def admin(_caller: Annotated[Caller, Depends(require_role("ADMINISTRATOR"))]) -> dict[str, str]:
    """For administrators."""
    return {}


nested = APIRouter(prefix="/rooms")


@nested.get("/{room_id}", responses=problem_responses(NotFound))
async def read_room(room_id: UUID) -> None:
    """There is never a room."""
    raise NotFound


nested_deeper = APIRouter(prefix="/houses/{house_id}")
nested_deeper.include_router(nested)
router.include_router(nested_deeper)


async def save_note(uow: UnitOfWork, text: str) -> NoteResponse:
    note_id = uuid4()
    async with uow.begin() as transaction:
        await transaction.connection.execute(
            "insert into notes (id, tenant_id, text) values ($1, $2, $3)", note_id, transaction.tenant_id, text
        )
        await transaction.publish(UserRegistered(user_id=UserId(note_id), role=Role.PATIENT, status="active"))
    return NoteResponse(id=note_id, text=text)


@pytest.fixture
def settings() -> SampleSettings:
    return SampleSettings(environment="test", database_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing"))


@pytest.fixture(scope="session")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def app(settings: SampleSettings, issuer: TokenIssuer) -> FastAPI:
    app = create_service_app(settings, title="Sample", routers=[router])
    app.state.kit.tokens = issuer.verifier()
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the app in this process; nothing of its lifespan has run."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://sample") as opened:
        yield opened


@pytest.fixture(scope="session")
def sample_migrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plumbing tables and one business table, for a service called `sample`."""
    folder = tmp_path_factory.mktemp("migrations")
    plumbing = (Path(service_kit.__file__).parent / "outbox.sql").read_text()
    (folder / "0001_plumbing.sql").write_text(plumbing.replace("{app}", "sample_app").replace("{relay}", "sample_relay"))
    (folder / "0002_notes.sql").write_text(
        """
        create table notes (id uuid primary key, tenant_id uuid not null, text text not null);
        alter table notes enable row level security;
        alter table notes force row level security;
        create policy tenant_isolation on notes
            using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
            with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
        grant select, insert, update, delete on notes to sample_app;
        """
    )
    return folder
