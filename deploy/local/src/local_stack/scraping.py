"""Prometheus's configuration for the processes of a stack, with the two labels that dashboards and alerts go by."""

from collections.abc import Iterator, Mapping

import yaml

from local_stack.ports import HOST
from local_stack.services import SERVICES


def scrape_configuration(ports: Mapping[str, int], rules: str) -> str:
    """The text of a prometheus.yml for a stack on these ports; `rules` says which files of rules it reads."""
    jobs = [{"job_name": "bloom", "static_configs": list(_processes(ports))}, _gateway(ports)]
    return yaml.safe_dump({"global": {"scrape_interval": "15s"}, "rule_files": [rules], "scrape_configs": jobs}, sort_keys=False)


def _processes(ports: Mapping[str, int]) -> Iterator[dict[str, object]]:
    for name, port in ports.items():
        service, _, process = name.rpartition("-")
        if process in SERVICES.get(service, ()):
            yield {"targets": [f"{HOST}:{port}"], "labels": {"service": service, "process": process}}


def _gateway(ports: Mapping[str, int]) -> dict[str, object]:
    """Envoy tells its own figures at its admin port, the days until its certificates expire among them."""
    labels = {"service": "gateway", "process": "envoy"}
    statics = [{"targets": [f"{HOST}:{ports['gateway-admin']}"], "labels": labels}]
    return {"job_name": "gateway", "metrics_path": "/stats/prometheus", "static_configs": statics}
