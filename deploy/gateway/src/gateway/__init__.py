"""The API gateway: an Envoy configuration rendered from one routes table and one template for every kind of deployment."""

from gateway.render import render
from gateway.run import envoy_binary, envoy_command, prepare
from gateway.site import write_site
from gateway.table import Limit, Page, ProblemRow, Route, Table, load_table
from gateway.target import Kind, Target, preset

__all__ = [
    "Kind",
    "Limit",
    "Page",
    "ProblemRow",
    "Route",
    "Table",
    "Target",
    "envoy_binary",
    "envoy_command",
    "load_table",
    "prepare",
    "preset",
    "render",
    "write_site",
]
