"""Settings of billing, read from variables that begin with `BILLING_`."""

from __future__ import annotations

from typing import ClassVar

from service_kit.settings import Port, ServiceSettings, service_config


class Settings(ServiceSettings):
    """What every service is told; billing needs nothing beside."""

    model_config = service_config("BILLING_")
    service_name: ClassVar[str] = "billing"

    port: Port = 8103
