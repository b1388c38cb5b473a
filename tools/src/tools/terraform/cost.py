"""What a cell costs a month: sizes as the environments take them, times terraform/prices.toml."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_stack.services import SERVICES
from tools.steps import ROOT

USERS = {"1k": 1, "10k": 10, "100k": 100}
CLOUDS = ("aws", "gcp")
ZONES, ENDPOINTS, ALARMS = 3, 6, 8
Prices = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bill:
    """A month of one cell with its Kafka, by part, in dollars."""

    cloud: str
    users: str
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """All parts together."""
        return sum(self.parts.values())


def read_prices() -> Prices:
    """The table of the repository."""
    return tomllib.loads((ROOT / "terraform/prices.toml").read_text())


def size(cloud: str, users: str) -> Mapping[str, Any]:
    """What Terraform is given for so many users."""
    content: Mapping[str, Any] = json.loads((ROOT / f"terraform/sizes/{cloud}-{users}.tfvars.json").read_text())["size"]
    return content


def bill(cloud: str, users: str, prices: Prices, cell: Mapping[str, Any] | None = None, *, spot: bool = True) -> Bill:
    """A month of a cell of this size; raises KeyError for what the table has no price of. Without `spot` all is on demand."""
    parts = (_aws if cloud == "aws" else _gcp)(cell or size(cloud, users), users, prices, spot)
    return Bill(cloud, users, {**parts, "Kafka": _kafka(users, prices)})


def _used(users: str, prices: Prices) -> dict[str, float]:
    return {name: amount * USERS[users] for name, amount in prices["usage_of_1k"].items()}


def _kafka(users: str, prices: Prices) -> float:
    used, confluent = _used(users, prices), prices["confluent"]
    carried, kept = confluent["gib"]["carried"], confluent["gib"]["kept"]
    return float(confluent["month"]["cluster"] + used["kafka_carried_gib"] * carried + used["kafka_kept_gib"] * kept)


def _aws(cell: Mapping[str, Any], users: str, prices: Prices, spot: bool) -> dict[str, float]:
    aws, used, hours = prices["aws"], _used(users, prices), prices["hours_a_month"]
    hour, month, gib, million = aws["hour"], aws["month"], aws["gib"], aws["million"]
    nodes = sum(
        group["minimum"] * hour[group["instance_types"][0]] * (prices["spot"]["aws"] if group["spot"] and spot else 1)
        for group in cell["nodes"].values()
    )
    database = cell["database"]
    gateways = 1 if cell["one_nat_gateway"] else ZONES
    documents = sum(used[f"{name}_million"] * price for name, price in million.items())
    return {
        "cluster and nodes": (hour["cluster"] + nodes) * hours,
        "PostgreSQL": hour[database["instance_class"]] * hours + database["storage_gib"] * gib["database_storage"],
        "Valkey": 2 * hour[cell["cache_node_type"]] * hours,
        "network": (gateways * hour["nat_gateway"] + ENDPOINTS * ZONES * hour["interface_endpoint"]) * hours
        + used["nat_gib"] * gib["nat"]
        + used["out_gib"] * gib["out"],
        "objects and documents": used["objects_gib"] * (gib["objects"] + gib["objects_copied"])
        + used["documents_gib"] * gib["documents"]
        + documents,
        "keys, secrets, logs, edge": 3 * month["key"]
        + len(SERVICES) * month["secret"]
        + ALARMS * month["alarm"]
        + month["health_check"]
        + month["firewall"]
        + used["log_gib"] * gib["logs"],
    }


def _gcp(cell: Mapping[str, Any], users: str, prices: Prices, spot: bool) -> dict[str, float]:
    gcp, used, hours, pods = prices["gcp"], _used(users, prices), prices["hours_a_month"], prices["pods"]
    hour, month, gib = gcp["hour"], gcp["month"], gcp["gib"]
    cheaper = 1 - (pods["spot_share"] * (1 - prices["spot"]["gcp"]) if spot else 0)
    asked = (pods["cpu"][users] * hour["pod_cpu"] + pods["gib"][users] * hour["pod_gib"]) * cheaper
    cores, megabytes = (int(number) for number in cell["database"]["tier"].removeprefix("db-custom-").split("-"))
    return {
        "cluster and nodes": (hour["cluster"] + asked) * hours,
        "PostgreSQL": (cores * hour["database_cpu"] + megabytes / 1024 * hour["database_gib"]) * hours
        + cell["database"]["storage_gib"] * gib["database_storage"],
        "Valkey": 2 * hour[cell["cache_node_type"]] * hours,
        "network": hour["nat_gateway"] * hours + used["nat_gib"] * gib["nat"] + used["out_gib"] * gib["out"],
        "objects and documents": used["objects_gib"] * gib["objects_copied"],
        "keys, secrets, logs, edge": 2 * month["key"] + len(SERVICES) * month["secret"] + used["log_gib"] * gib["logs"],
    }


def tables(prices: Prices) -> str:
    """The bills beside the contract's figures, as Markdown."""
    contract = prices["contract"]
    lines = ["| cell | users | a month | contract | beside it | all on demand | AWS elsewhere |", "|---|---|---|---|---|---|---|"]
    bills = [bill(cloud, users, prices) for cloud in CLOUDS for users in USERS]
    for each in bills:
        goal, rival = contract["bloom"][each.users], contract["rival"][each.users]
        word = "within" if each.total <= goal else f"{each.total / goal:.1f} times"
        dear = bill(each.cloud, each.users, prices, spot=False).total
        lines.append(f"| {each.cloud} | {each.users} | ${each.total:,.0f} | ${goal:,} | {word} | ${dear:,.0f} | ${rival:,} |")
    names = list(bills[0].parts)
    parts = ["| part | " + " | ".join(f"{each.cloud} {each.users}" for each in bills) + " |", "|---|" + "---|" * len(bills)]
    parts += ["| " + " | ".join([name, *(f"${each.parts[name]:,.0f}" for each in bills)]) + " |" for name in names]
    said = f"Prices of {prices['date']}: {prices['source']}."
    return "\n".join([*lines, "", said, "", *parts])


def main() -> int:
    """Print the bills."""
    print(tables(read_prices()))
    print("\nChange sizes in terraform/sizes or prices in terraform/prices.toml, then make events.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
