"""The chart runs the processes of the local stack as a cluster should: probed, bounded, unprivileged, spread, told what to do."""

import importlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from bloom_events.topics import all_topics
from local_stack.names import import_name
from local_stack.own_settings import new_service_key
from local_stack.paths import ROOT
from local_stack.ports import DEFAULT_PORTS
from local_stack.secret_files import new_key, new_vapid_key
from local_stack.services import SERVICES
from service_kit.settings import ServiceSettings

Objects = list[dict[str, Any]]
PROCESSES = [(service, kind) for service, kinds in SERVICES.items() for kind in kinds]


def named(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def names(objects: Objects, kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in objects if each["kind"] == kind}


def pods(objects: Objects) -> list[dict[str, Any]]:
    """The pod template's spec of every Deployment and Job."""
    return [each["spec"]["template"]["spec"] for each in objects if each["kind"] in {"Deployment", "Job"}]


def containers(objects: Objects) -> list[dict[str, Any]]:
    return [container for pod in pods(objects) for container in pod["containers"]]


def environment_of(objects: Objects, name: str) -> dict[str, str]:
    """What the process would find in its environment; secrets get a value of the right shape."""
    found = {}
    (container,) = named(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        place = variable.get("valueFrom", {})
        if "configMapKeyRef" in place:
            settings = named(objects, "ConfigMap", place["configMapKeyRef"]["name"])
            found[variable["name"]] = settings["data"][place["configMapKeyRef"]["key"]]
        elif "secretKeyRef" in place:
            found[variable["name"]] = secret_like(place["secretKeyRef"]["key"])
        else:
            found[variable["name"]] = variable["value"]
    return found


def secret_like(name: str) -> str:
    if name.endswith("DATABASE_URL"):
        return "postgresql://role:word@db.internal:5432/bloom?sslmode=verify-full&sslrootcert=/etc/bloom/trust/ca.pem"
    shapes: dict[str, Callable[[], str]] = {
        "VALKEY_URL": lambda: "rediss://:word@valkey.internal:6379/0",
        "MASTER_KEY": new_key,
        "LAKE_KEY": new_key,
        "SERVICE_KEY": new_service_key,
        "PUSH_KEY": new_vapid_key,
    }
    return next((make() for ending, make in shapes.items() if name.endswith(ending)), "word")


@pytest.mark.promise("PL27", "MT2")
def test_every_installation_runs_every_process_of_the_local_stack_and_the_gateway(objects: Objects) -> None:
    assert names(objects, "Deployment") == {f"{service}-{kind}" for service, kind in PROCESSES} | {"gateway"}


@pytest.mark.parametrize(("service", "kind"), PROCESSES)
def test_a_process_starts_with_the_command_and_port_of_the_local_stack(
    render: Callable[..., Objects], service: str, kind: str
) -> None:
    (container,) = named(render("production"), "Deployment", f"{service}-{kind}")["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [kind]
    assert container["image"] == f"registry.example/bloom/{service}:1.0.0"
    assert container["ports"][0]["containerPort"] == DEFAULT_PORTS[f"{service}-{kind}"]


@pytest.mark.parametrize(("service", "kind"), PROCESSES)
def test_a_process_can_read_its_settings_from_what_the_chart_gives_it(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, service: str, kind: str
) -> None:
    told = environment_of(objects, f"{service}-{kind}")
    settings_class: type[ServiceSettings] = importlib.import_module(f"{import_name(service)}.settings").Settings
    prefix = f"{import_name(service).upper()}_"
    fields = set(settings_class.model_fields)
    assert {name.removeprefix(prefix).lower() for name in told} <= fields
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = settings_class()
    port = settings.port if kind in {"api", "socket"} else settings.probe_port
    assert port == DEFAULT_PORTS[f"{service}-{kind}"]
    assert (settings.relay_database_url is not None) == (kind == "relay")
    assert settings.migration_database_url is None


@pytest.mark.promise("SE1", "SE4")
@pytest.mark.parametrize("installation", ["production", "cell-us", "cell-eu"])
def test_in_production_every_connection_to_a_managed_service_is_encrypted(
    render: Callable[..., Objects], installation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = render(installation, "--set-string=trust.bundle=authorities")
    for service, kind in PROCESSES:
        told = environment_of(objects, f"{service}-{kind}")
        prefix = f"{import_name(service).upper()}_"
        assert told[f"{prefix}ENVIRONMENT"] == "production"
        assert told[f"{prefix}KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
        assert told[f"{prefix}KAFKA_CA_FILE"] == "/etc/bloom/trust/ca.pem"
        (container,) = named(objects, "Deployment", f"{service}-{kind}")["spec"]["template"]["spec"]["containers"]
        assert {"name": "trust", "mountPath": "/etc/bloom/trust", "readOnly": True} in container["volumeMounts"]


def test_a_secret_is_never_part_of_a_deployment_or_a_config_map(objects: Objects, platform: dict[str, Any]) -> None:
    secrets = {name for each in platform["services"].values() for name in [*each["secrets"], *each["furtherSecrets"]]}
    secrets |= {"RELAY_DATABASE_URL", "MIGRATION_DATABASE_URL", "KAFKA_PASSWORD", "KAFKA_TOKEN_CLIENT_SECRET"}
    for each in objects:
        if each["kind"] == "ConfigMap":
            assert not [key for key in each["data"] if any(key.endswith(f"_{name}") for name in secrets)], each["metadata"]
    for container in containers(objects):
        for variable in container.get("env", []):
            is_secret = any(variable["name"].endswith(f"_{name}") for name in secrets)
            assert is_secret == ("secretKeyRef" in variable.get("valueFrom", {})), variable


@pytest.mark.promise("SE3")
@pytest.mark.parametrize("installation", ["qa", "production", "cell-us", "cell-eu"])
def test_secrets_come_from_the_clouds_secret_manager_by_environment(render: Callable[..., Objects], installation: str) -> None:
    objects = render(installation)
    assert not names(objects, "Secret")
    external = [each for each in objects if each["kind"] == "ExternalSecret"]
    paths = {entry["remoteRef"]["key"] for each in external for entry in each["spec"]["data"]}
    prefix = {"qa": "bloom/qa", "production": "bloom/production", "cell-us": "bloom/cell-us", "cell-eu": "bloom-cell-eu"}
    assert all(path.startswith(f"{prefix[installation]}/") for path in paths)
    assert {f"{prefix[installation]}/{service}/{role}" for service in SERVICES for role in ("app", "relay", "owner")} <= paths


def test_the_owners_role_is_known_to_the_migrations_alone_and_lives_as_long_as_they_do(objects: Objects) -> None:
    for each in objects:
        if each["kind"] in {"Secret", "ExternalSecret"} and "MIGRATION_DATABASE_URL" in str(each):
            assert each["metadata"]["name"].endswith("-migrate")
            assert "hook-succeeded" in each["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    assert "MIGRATION_DATABASE_URL" not in str([each for each in objects if each["kind"] == "Deployment"])


@pytest.mark.promise("K9")
def test_every_pod_keeps_to_the_restricted_level_and_cannot_write_its_root_file_system(objects: Objects) -> None:
    assert len(pods(objects)) == len(PROCESSES) + 1 + len(SERVICES) + 1
    for pod in pods(objects):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(set(volume) <= {"name", "emptyDir", "configMap", "secret"} for volume in pod["volumes"])
    for container in containers(objects):
        security = container["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)


@pytest.mark.promise("K3")
def test_every_process_is_asked_whether_it_lives_and_whether_it_is_ready(objects: Objects) -> None:
    for each in objects:
        if each["kind"] == "Deployment":
            (container,) = each["spec"]["template"]["spec"]["containers"]
            live, ready = container["livenessProbe"], container["readinessProbe"]
            assert (live["httpGet"]["path"], live["initialDelaySeconds"], live["periodSeconds"]) == ("/health/live", 30, 10)
            assert (ready["initialDelaySeconds"], ready["periodSeconds"]) == (5, 5)
            assert ready["httpGet"]["path"] == ("/health/live" if each["metadata"]["name"] == "gateway" else "/health/ready")
            assert live["httpGet"]["port"] == ready["httpGet"]["port"] == container["ports"][0]["name"]


def test_every_container_says_what_it_asks_for_and_what_it_may_have_at_most(objects: Objects) -> None:
    for container in containers(objects):
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory"}


def test_a_process_has_more_time_to_end_than_its_own_limit_and_the_wait_before_it(objects: Objects) -> None:
    for service, kind in PROCESSES:
        pod = named(objects, "Deployment", f"{service}-{kind}")["spec"]["template"]["spec"]
        limit = ServiceSettings.model_fields["shutdown_limit_seconds"].default
        wait = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] > limit + wait


def test_pods_of_a_process_are_spread_over_zones_and_nodes(objects: Objects) -> None:
    for each in objects:
        if each["kind"] == "Deployment":
            pod, labels = each["spec"]["template"]["spec"], each["spec"]["selector"]["matchLabels"]
            spread = {one["topologyKey"]: one["labelSelector"]["matchLabels"] for one in pod["topologySpreadConstraints"]}
            assert spread == {"topology.kubernetes.io/zone": labels, "kubernetes.io/hostname": labels}
            (rule,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
            assert rule["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels


def test_every_process_has_a_disruption_budget_that_lets_one_pod_go_at_a_time(objects: Objects) -> None:
    assert names(objects, "PodDisruptionBudget") == names(objects, "Deployment")
    for each in objects:
        if each["kind"] == "PodDisruptionBudget":
            deployment = named(objects, "Deployment", each["metadata"]["name"])
            assert each["spec"]["maxUnavailable"] == 1
            assert each["spec"]["selector"] == deployment["spec"]["selector"]


@pytest.mark.promise("K2")
def test_an_api_asks_for_the_resources_of_the_contract_and_has_its_own_port(render: Callable[..., Objects]) -> None:
    deployment = named(render("production", "--set=processes.api.autoscaling.by=none"), "Deployment", "billing-api")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["spec"]["replicas"] == 4
    assert container["ports"][0]["containerPort"] == 8103
    wanted = {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    told = {variable["name"] for variable in container["env"]}
    assert {"BILLING_DATABASE_URL", "BILLING_VALKEY_URL"} <= told
    assert container["resources"] == wanted


@pytest.mark.promise("K1", "K4", "CO2")
def test_what_serves_clients_grows_by_processor_and_memory_and_workers_by_what_waits_for_them(
    render: Callable[..., Objects], platform: dict[str, Any]
) -> None:
    objects = render("cell-us")
    serving = {f"{service}-{kind}" for service, kind in PROCESSES if kind in {"api", "socket"}} | {"gateway"}
    assert names(objects, "HorizontalPodAutoscaler") == serving
    scaler = named(objects, "HorizontalPodAutoscaler", "billing-api")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    targets = {metric["resource"]["name"]: metric["resource"]["target"]["averageUtilization"] for metric in scaler["metrics"]}
    assert targets == {"cpu": 70, "memory": 80}
    assert names(objects, "ScaledObject") == {f"{service}-worker" for service, kind in PROCESSES if kind == "worker"}
    for service, kind in PROCESSES:
        if kind == "worker":
            spec = named(objects, "ScaledObject", f"{service}-worker")["spec"]
            assert {trigger["metadata"]["topic"] for trigger in spec["triggers"]} == {
                topic.name for topic in all_topics() if service in topic.consumers
            }
            assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 5)
            assert {trigger["metadata"]["consumerGroup"] for trigger in spec["triggers"]} == {consumer_of(service)}
    scaled = serving | names(objects, "ScaledObject")
    for name in names(objects, "Deployment"):
        assert ("replicas" in named(objects, "Deployment", name)["spec"]) == (name not in scaled)


def consumer_of(service: str) -> str:
    """The group by which a worker reads, as its own code names it."""
    sources = (ROOT / "services" / service / "src" / import_name(service) / "use_cases").glob("*.py")
    (found,) = {name for path in sources for name in re.findall(r'^CONSUMER = "([a-z-]+)"$', path.read_text(), re.MULTILINE)}
    return str(found)


@pytest.mark.promise("K5")
def test_a_service_answers_on_port_80_and_a_host_with_a_certificate_leads_to_the_gateway(render: Callable[..., Objects]) -> None:
    service = named(render("production"), "Service", "billing-api")["spec"]
    assert service["type"] == "ClusterIP"
    assert service["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    ingress = named(render("production", "--set=edge.kind=ingress,edge.class=nginx"), "Ingress", "bloom")["spec"]
    assert ingress["tls"] == [{"hosts": ["api.bloom.example"], "secretName": "bloom-tls"}]
    assert ingress["rules"][0]["host"] == "api.bloom.example"
    listeners = {each["name"]: each for each in named(render("production"), "Gateway", "bloom")["spec"]["listeners"]}
    assert listeners["https"]["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "bloom-tls"}]
    redirect = named(render("production"), "HTTPRoute", "bloom-to-https")["spec"]["rules"][0]
    assert "backendRefs" not in redirect
    assert redirect["filters"][0]["requestRedirect"]["scheme"] == "https"


def test_two_relays_stand_ready_of_which_a_lease_lets_one_work(render: Callable[..., Objects]) -> None:
    objects = render("production")
    assert {named(objects, "Deployment", f"{service}-relay")["spec"]["replicas"] for service in SERVICES} == {2}


@pytest.mark.promise("K6", "SE7")
@pytest.mark.parametrize(("mesh", "label"), [("linkerd", "linkerd.io/inject"), ("istio", "sidecar.istio.io/inject")])
def test_a_mesh_finds_what_it_looks_for_on_every_pod(render: Callable[..., Objects], mesh: str, label: str) -> None:
    objects = render("production", f"--set=mesh.kind={mesh}")
    for each in objects:
        if each["kind"] == "Deployment":
            metadata = each["spec"]["template"]["metadata"]
            assert label in {**metadata["labels"], **metadata["annotations"]}
    strict = [each for each in objects if each["kind"] == "PeerAuthentication" and each["metadata"]["name"] == "bloom"]
    assert [each["spec"]["mtls"]["mode"] for each in strict] == (["STRICT"] if mesh == "istio" else [])


@pytest.mark.promise("SE7")
@pytest.mark.parametrize("installation", ["production", "cell-us", "cell-eu"])
def test_in_production_no_pod_is_outside_the_mesh_that_encrypts_between_pods(
    render: Callable[..., Objects], installation: str
) -> None:
    objects = render(installation)
    deployments = [each["spec"]["template"]["metadata"] for each in objects if each["kind"] == "Deployment"]
    told = [{**each["labels"], **each["annotations"]} for each in deployments]
    assert len(told) == len(PROCESSES) + 1
    # Linkerd's proxies speak mutual TLS with each other by themselves; Istio's take nothing else where they are told so.
    assert all(each.get("linkerd.io/inject") == "enabled" or each.get("sidecar.istio.io/inject") == "true" for each in told)
    if any("sidecar.istio.io/inject" in each for each in told):
        assert named(objects, "PeerAuthentication", "bloom")["spec"]["mtls"] == {"mode": "STRICT"}


def test_an_image_can_be_pinned_by_its_digest(render: Callable[..., Objects]) -> None:
    digest = f"sha256:{'a' * 64}"
    objects = render("production", f"--set-string=image.digests.auth={digest}")
    images = {container["image"] for container in containers(objects) if "/auth" in container["image"]}
    assert images == {f"registry.example/bloom/auth@{digest}"}


def test_another_setting_is_another_pod(render: Callable[..., Objects]) -> None:
    def checksum(*further: str) -> str:
        template = named(render("production", *further), "Deployment", "billing-api")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/settings"])

    assert checksum() != checksum("--set=logLevel=DEBUG")


def test_topics_are_a_job_or_the_objects_of_an_operator(render: Callable[..., Objects]) -> None:
    assert "operator-topics" in names(render("production"), "Job")
    strimzi = render("production", "--set=topics.by=strimzi,topics.strimziCluster=bloom")
    assert "operator-topics" not in names(strimzi, "Job")
    made = {each["metadata"]["name"]: each["spec"] for each in strimzi if each["kind"] == "KafkaTopic"}
    assert {
        name: (spec["partitions"], spec["config"]["retention.ms"], spec["config"]["cleanup.policy"])
        for name, spec in made.items()
    } == {topic.name: (topic.partitions, topic.retention_ms, topic.cleanup_policy) for topic in all_topics()}


@pytest.mark.parametrize(
    ("installation", "annotation"), [("cell-us", "eks.amazonaws.com/role-arn"), ("cell-eu", "iam.gke.io/gcp-service-account")]
)
def test_services_that_use_the_cloud_have_a_role_of_their_own_there_and_no_keys(
    render: Callable[..., Objects], installation: str, annotation: str
) -> None:
    accounts = {
        each["metadata"]["name"]: each["metadata"].get("annotations", {})
        for each in render(installation)
        if each["kind"] == "ServiceAccount"
    }
    bound = {name: list(annotations) for name, annotations in accounts.items() if annotations and name != "bloom-prepare"}
    assert bound == {f"bloom-{service}": [annotation] for service in ("messaging", "ml-scoring", "analytics")}
    assert "STORE_ACCESS_KEY" not in str(render(installation))


@pytest.mark.promise("MT1")
def test_two_cells_share_no_address_store_key_or_secret(render: Callable[..., Objects]) -> None:
    def told(installation: str) -> set[str]:
        objects = render(installation)
        values = {value for each in objects if each["kind"] == "ConfigMap" for value in each["data"].values()}
        paths = {
            entry["remoteRef"]["key"] for each in objects if each["kind"] == "ExternalSecret" for entry in each["spec"]["data"]
        }
        return {value for value in values | paths if any(mark in value for mark in ("://", ":9093", "kms", "/"))}

    shared = told("cell-us") & told("cell-eu")
    # Addresses within a cell's own namespace, and providers outside that serve every cell.
    assert {value for value in shared if not value.startswith(("http://auth-api", "http://messaging-api"))} <= {
        "https://mail.bloom.example/v3/bloom.example"
    }
