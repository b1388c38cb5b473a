"""A service with a hyphen in its name: what may have none is called by the name of its package."""

import pytest

from local_stack.names import import_name
from local_stack.paths import ROOT, migrations_folder
from local_stack.postgres import service_roles
from local_stack.services import SERVICES
from local_stack.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return Stack(tmp_path_factory.mktemp("stack"))


@pytest.mark.parametrize("service", SERVICES)
def test_the_package_and_the_migrations_of_each_service_are_where_its_name_says(service: str) -> None:
    assert (ROOT / "services" / service / "src" / import_name(service) / "__main__.py").is_file()
    assert (migrations_folder(service) / "0001_plumbing.sql").is_file()


def test_roles_and_database_have_the_name_of_the_package(stack: Stack) -> None:
    assert service_roles("ml-scoring") == ("ml_scoring_owner", "ml_scoring_app", "ml_scoring_relay")
    assert stack.postgres.service_database("ml-scoring").name == "bloom_ml_scoring"


def test_variables_begin_with_the_name_of_the_package(stack: Stack) -> None:
    variables = stack.surroundings.of("ml-scoring", "api", port=8105)
    assert {name[: len("ML_SCORING_")] for name in variables} == {"ML_SCORING_"}


def test_a_process_that_serves_sockets_gets_no_other_role_than_an_api_and_the_port_that_clients_use(stack: Stack) -> None:
    api, sockets = (stack.surroundings.of("messaging", process, port=8134) for process in ("api", "socket"))
    assert sockets == api


def test_a_command_gets_every_role(stack: Stack) -> None:
    variables = stack.surroundings.of("messaging", "requeue", port=0)
    assert {"MESSAGING_RELAY_DATABASE_URL", "MESSAGING_MIGRATION_DATABASE_URL"} <= variables.keys()
