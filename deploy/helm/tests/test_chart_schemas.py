"""Every object is what a server of Kubernetes takes, and values that make no sense are refused before there are any."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

Objects = list[dict[str, Any]]
OWN_GROUPS = ("v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1")
# Objects of operators: their schemas come with the operators, and `make test-cluster` has a server hold them to these.
OPERATORS = {
    "external-secrets.io/v1", "gateway.networking.k8s.io/v1", "keda.sh/v1alpha1", "monitoring.coreos.com/v1",
    "security.istio.io/v1", "kafka.strimzi.io/v1beta2",
}  # fmt: skip


def test_every_object_of_kubernetes_itself_fits_its_schema_strictly(objects: Objects) -> None:
    version = kubernetes_validate.latest_version()
    for each in objects:
        if each["apiVersion"] in OWN_GROUPS:
            kubernetes_validate.validate(each, version, strict=True)
        else:
            assert each["apiVersion"] in OPERATORS


def test_the_schema_check_sees_a_misspelt_field(objects: Objects) -> None:
    broken = next(each for each in objects if each["kind"] == "Deployment")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**broken, "spec": {**broken["spec"], "replica": 2}}, kubernetes_validate.latest_version(), strict=True
        )


def test_a_developers_installation_needs_no_operator(render: Callable[..., Objects]) -> None:
    assert {each["apiVersion"] for each in render("dev")} <= set(OWN_GROUPS)


def test_no_two_objects_have_the_same_kind_and_name(objects: Objects) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))


def test_helm_lints_the_chart_with_every_installations_values(
    helm: Callable[..., Any], installation: str, values: list[str]
) -> None:
    done = helm("lint", "--strict", *values)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("further", "why"),
    [
        ("environment=prod", "environment"),
        ("kafka.securityProtocol=PLAINTEXT", "securityProtocol"),
        ("secrets.from=values", "secrets"),
        ("network.enabled=false", "network"),
        ("image.digests.auth=latest", "image"),
        ("unheardOf=1", "unheardOf"),
        ("services.auth.settings.UNHEARD_OF=1", "the service has no such setting"),
        ("services.auth.settings.UNSAFE_OUTBOX_OFF=true", "the service has no such setting"),
        ("services.auth.furtherSecrets[0]=UNHEARD_OF", "the service has no secret"),
        ("kafka.saslMechanism=OAUTHBEARER", "kafka.tokenUrl is needed"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    helm: Callable[..., Any], values_by_name: Callable[[str], list[str]], further: str, why: str
) -> None:
    done = helm(
        "template", *values_by_name("production"), f"--set-string={further}" if "image" in further else f"--set={further}"
    )
    assert done.returncode != 0
    assert why in done.stderr


def test_a_developer_who_gives_no_secrets_is_told_which_is_missing(helm: Callable[..., Any], chart: Path) -> None:
    done = helm("template", f"--values={chart / 'values-dev.yaml'}")
    assert done.returncode != 0
    assert "secrets.values." in done.stderr
