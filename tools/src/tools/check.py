"""`make check`: the whole law of the repository that needs no server."""

import sys

from tools.steps import Step, python, run_all, tool

SOURCES = ("libs", "services", "deploy", "tests", "tools", "notebooks")
GENERATED = (
    "tools.event_docs",
    "tools.openapi",
    "tools.problem_docs",
    "tools.gateway_docs",
    "tools.dashboards",
    "tools.alerting",
    "tools.telemetry",
    "tools.lake_docs",
    "tools.terraform",
    "tools.helm_facts",
    "tools.dockerfiles",
    "tools.limit_docs",
    "tools.promises",
)


def steps() -> list[Step]:
    """Format, lint, types, import contracts, architecture tests, and that generated files are what would be generated."""
    return [
        Step("format", [tool("ruff"), "format", "--check", "--quiet", *SOURCES]),
        Step("lint", [tool("ruff"), "check", "--quiet", *SOURCES]),
        Step("types", [tool("mypy"), "--no-error-summary", *typed_folders()]),
        Step("import contracts", [tool("lint-imports")]),
        Step("architecture", python("-m", "pytest", "-q", "tests/architecture")),
        Step("dockerfiles", [tool("hadolint"), *dockerfiles()]),
        *(Step(f"generated: {module}", python("-m", module, "check")) for module in GENERATED),
    ]


def dockerfiles() -> list[str]:
    """Every image's Dockerfile."""
    from images.catalog import images

    return [image.dockerfile for image in images()]


def typed_folders() -> list[str]:
    """Every src folder, the scripts that make models, the programs among the tests, and what notebooks read with."""
    from tools.steps import ROOT

    groups = (
        "libs/*/src",
        "services/*/src",
        "services/*/training",
        "deploy/*/src",
        "tools/src",
        "tests/faults",
        "tests/bench",
        "tests/cluster",
        "tests/upgrade",
        "notebooks",
    )
    return [str(folder.relative_to(ROOT)) for group in groups for folder in sorted(ROOT.glob(group))]


if __name__ == "__main__":
    sys.exit(run_all(steps(), then="make test"))
