"""The commands of a service: which there are, and that none of them is taken for another."""

import argparse

import pytest

from service_kit.commands import add_commands, run_command
from service_kit.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    model_config = service_config("SAMPLE_")
    service_name = "sample"


def settings() -> Settings:
    return Settings(environment="test", database_url="postgresql://sample_app:x@127.0.0.1/sample")


def no_app():
    raise AssertionError("the app is not asked for")


def commands_of(worker: str | None) -> set[str]:
    return set(add_commands(argparse.ArgumentParser(), worker=worker).choices)


def test_a_service_with_a_worker_can_redrive_what_it_parked():
    assert commands_of("reads the log") == {"api", "worker", "redrive", "relay", "requeue", "migrate"}


def test_a_service_without_a_worker_has_nothing_to_redrive():
    assert commands_of(None) == {"api", "relay", "requeue", "migrate"}


@pytest.mark.parametrize("command", ["worker", "redrive", "reboot"])
def test_a_command_that_the_service_does_not_have_is_refused(command):
    with pytest.raises(ValueError, match=f"no such command: {command}"):
        run_command(command, settings(), no_app)


@pytest.mark.parametrize(("command", "variable"), [("relay", "RELAY"), ("requeue", "RELAY"), ("migrate", "MIGRATION")])
def test_a_command_whose_role_has_no_address_says_which_variable_is_missing(command, variable):
    with pytest.raises(SystemExit, match=f"SAMPLE_{variable}_DATABASE_URL is not set"):
        run_command(command, settings(), no_app)
