"""Settings of appointments, read from variables that begin with `APPOINTMENTS_`."""

from __future__ import annotations

from typing import ClassVar

from service_kit.settings import Port, ServiceSettings, service_config


class Settings(ServiceSettings):
    """What every service is told; appointments needs nothing beside."""

    model_config = service_config("APPOINTMENTS_")
    service_name: ClassVar[str] = "appointments"

    port: Port = 8102
