"""The commands of operators, run as they run them."""

import asyncio
import base64
import os
import sys

import pytest


@pytest.fixture
def command(service, auth_database):
    """Runs `python -m auth ...` on the test's database; gives status, output and errors."""

    async def run(*arguments: str, password: str = "", **changed: str) -> tuple[int, str, str]:
        own = {
            "AUTH_ENVIRONMENT": "test",
            "AUTH_DATABASE_URL": auth_database.app_url,
            "AUTH_MIGRATION_DATABASE_URL": auth_database.owner_url,
            "AUTH_MASTER_KEY": base64.b64encode(b"k" * 32).decode(),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "auth", *arguments, env=os.environ | own | changed,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate(password.encode())
        return process.returncode or 0, out.decode().strip(), err.decode().strip()

    return run


@pytest.mark.promise("AU5", "PL7")
async def test_an_organisation_and_its_first_administrator_are_made_by_command(service, command):
    status, tenant_id, _ = await command("create-tenant", "--slug", "new-practice", "--name", "New Practice")
    assert (status, len(tenant_id)) == (0, 36)

    made = await command(
        "create-administrator", "--tenant", "new-practice", "--email", "Chief@Example.test", password="seven green bottles\n"
    )
    device = service.device()
    signed_in = await device.sign_in("chief@example.test", tenant="new-practice")

    assert made[0] == 0, made
    assert "example.test" not in made[1] + made[2]
    assert (signed_in.status_code, signed_in.json()["user"]["role"]) == (200, "ADMINISTRATOR")
    assert signed_in.json()["user"]["id"] == made[1]
    assert (await device.get("/api/users/counts")).json()["total"] == 1


async def test_what_cannot_be_made_ends_with_one_line_and_status_one(service, command):
    answers = [
        await command("create-tenant", "--slug", service.slug, "--name", "Again"),
        await command("create-administrator", "--tenant", "nobody", "--email", "a@example.test", password="seven green bottles"),
        await command("create-administrator", "--tenant", service.slug, "--email", "not one", password="seven green bottles"),
        await command("create-administrator", "--tenant", service.slug, "--email", "a@example.test", password="short"),
        await command("create-tenant", "--slug", "another", "--name", "Another", AUTH_MIGRATION_DATABASE_URL=""),
    ]

    assert [status for status, _, _ in answers] == [1] * 5
    assert all(len(errors.splitlines()) == 1 for _, _, errors in answers), answers
    assert not any("example.test" in errors or "bottles" in errors for _, _, errors in answers)


async def test_a_slug_that_is_none_is_refused(command):
    status, _, errors = await command("create-tenant", "--slug", "Not A Slug", "--name", "Practice")

    assert status == 2
    assert "lower case letters" in errors


async def test_keys_are_rotated_by_command_once_at_a_time(command):
    await command("rotate-keys")
    again = await command("rotate-keys")

    assert again[0] == 1
    assert "published already" in again[2]
