"""The Terraform code without any cloud: what it declares, what it is given by the code, and what it may not leave open."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import all_topics
from local_stack.buckets import BUCKETS
from local_stack.services import SERVICES
from tools.apps import unconnected_settings
from tools.terraform import catalogue
from tools.terraform.modules import FOLDER, META_ARGUMENTS, Block, Module, arguments, folders, read_module
from tools.terraform.package import SOURCE, write
from tools.terraform.schemas import PROVIDERS, committed, faults, used
from tools.terraform.verify import on_aws_alone

MODULES = [read_module(folder) for folder in folders()]
BY_NAME = {Path(module.path).name: module for module in MODULES if "/modules/" in module.path}
_WITHOUT_COMMENTS = re.compile(r"^\s*#.*$", re.MULTILINE)


def blocks(*types: str) -> Iterator[Block]:
    return (block for module in MODULES for block in module.blocks if block.type in types)


def code(module: Module) -> str:
    return _WITHOUT_COMMENTS.sub("", module.text)


def names(pattern: str, module: Module) -> set[str]:
    return set(re.findall(pattern, code(module)))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.path)
def test_every_input_is_used_and_every_name_that_is_used_is_declared(module: Module) -> None:
    assert names(r"\bvar\.(\w+)", module) == set(module.inputs)
    assert names(r"\bmodule\.(\w+)", module) == set(module.calls)
    declared = {f"{block.type}.{block.name}" for block in module.blocks if block.kind == "resource"}
    used_here = names(r"(?<![\w.\"/])((?:aws|google|confluent)_[a-z0-9_]+\.[a-z_]+)\b", module)
    assert used_here <= declared
    data = {f"{block.type}.{block.name}" for block in module.blocks if block.kind == "data"}
    assert names(r"\bdata\.((?:aws|google|confluent)_\w+\.\w+)", module) == data


@pytest.mark.parametrize("module", [each for each in MODULES if each.calls], ids=lambda module: module.path)
def test_calls_give_modules_what_they_take_and_take_what_they_give(module: Module) -> None:
    for name, body in module.calls.items():
        called = BY_NAME[Path(body["source"]).name]
        given = {argument for argument in body if argument not in META_ARGUMENTS and not argument.startswith("__")}
        needed = {argument for argument, row in called.inputs.items() if "default" not in row}
        assert needed <= given <= set(called.inputs), name
        assert names(rf"\bmodule\.{name}\.(\w+)", module) <= set(called.outputs), name


def test_every_input_and_output_says_what_it_is() -> None:
    for module in MODULES:
        assert all(row.get("description", "").endswith(".") for row in module.inputs.values()), module.path
        assert all(row.get("description", "").endswith(".") for row in module.outputs.values()), module.path


def test_names_sizes_and_places_are_checked_before_anything_is_made() -> None:
    checked = {
        "name",
        "region",
        "jurisdiction",
        "cidr",
        "instance_class",
        "tier",
        "storage_gib",
        "node_type",
        "auth_token",
        "key_arn",
    }
    for name, module in BY_NAME.items():
        # A cell only hands on what the module that it calls checks.
        handed_on = {"cidr"} if name.startswith("cell-") else set()
        open_ones = [each for each in checked & set(module.inputs) - handed_on if "validation" not in module.inputs[each]]
        assert open_ones == [], name


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_no_machine_can_validate_is_what_the_providers_schema_takes(provider: str) -> None:
    schemas = committed(provider)
    assert [fault for block in used(provider) for fault in faults(block, schemas)] == []


def test_an_argument_that_the_provider_does_not_have_is_seen() -> None:
    schemas = committed("confluent")
    [topic] = blocks("confluent_kafka_topic")
    wrong = Block(topic.kind, topic.type, topic.name, {**topic.body, "partition_count": 6})
    assert list(faults(wrong, schemas)) == ["confluent_kafka_topic.this: no argument partition_count"]
    less = {name: value for name, value in topic.body.items() if name != "topic_name"}
    assert list(faults(Block(topic.kind, topic.type, topic.name, less), schemas)) == [
        "confluent_kafka_topic.this: topic_name is missing"
    ]
    inner = Block(topic.kind, topic.type, topic.name, {**topic.body, "kafka_cluster": [{"name": "x", "__is_block__": True}]})
    assert "confluent_kafka_topic.this.kafka_cluster: no argument name" in list(faults(inner, schemas))
    assert list(faults(Block("resource", "google_no_such", "x", {}), committed("google"))) == ["google_no_such: no such resource"]


def test_confluent_gets_every_topic_of_the_code_with_its_own_settings_writers_and_readers() -> None:
    topics = catalogue.kafka()["topics"]
    assert isinstance(topics, dict)
    assert {name: (row["partitions"], row["retention_ms"], row["cleanup_policy"]) for name, row in topics.items()} == {
        topic.name: (topic.partitions, str(topic.retention_ms), topic.cleanup_policy) for topic in all_topics()
    }
    for topic in all_topics():
        assert set(topics[topic.name]["producers"]) == set(topic.producers)
        assert set(topics[topic.name]["consumers"]) == set(topic.consumers)


def test_every_event_has_a_subject_for_its_topic() -> None:
    assert catalogue.subjects().keys() == {f"{event.TOPIC.name}-{name}" for name, event in EVENT_TYPES.items()}


def test_cells_hold_every_service_and_every_bucket_by_the_names_of_the_settings() -> None:
    services = catalogue.platform()["services"]
    assert isinstance(services, dict)
    assert {name: tuple(row["processes"]) for name, row in services.items()} == SERVICES
    assert {store.bucket for store in catalogue.STORES.values()} == set(BUCKETS)
    for service, store in catalogue.STORES.items():
        fields = type(unconnected_settings(service)).model_fields
        assert store.setting.lower() in fields
        assert f"{store.setting.lower()}_region" in fields


@pytest.mark.promise("MT2")
def test_a_cell_is_all_services_with_a_database_a_cache_and_objects_of_its_own() -> None:
    for cloud in ("aws", "gcp"):
        sources = {Path(body["source"]).name for body in BY_NAME[f"cell-{cloud}"].calls.values()}
        assert {
            "platform",
            *(f"{cloud}-{part}" for part in ("network", "postgresql", "valkey", "storage", "secrets", "identity")),
        } <= sources
        text = BY_NAME[f"cell-{cloud}"].text
        assert "for name, service in module.platform.services" in text


def test_an_environment_is_one_call_of_a_cell_and_shares_neither_names_nor_addresses_nor_state_with_another() -> None:
    roots = [
        module
        for module in MODULES
        if any(str(body["source"]).endswith(("cell-aws", "cell-gcp")) for body in module.calls.values())
    ]
    assert {Path(module.path).name for module in roots} == {"us", "eu", "gcp"}
    assert all(len(module.calls) == 1 for module in roots)
    blocks_of = [re.search(r'cidr += "([\d./]+)"', module.text) for module in roots]
    addresses = [found.group(1) for found in blocks_of if found]
    assert len(addresses) == len(set(addresses)) == 2
    states = [path.read_text() for path in FOLDER.glob("environments/*/*.tfbackend")]
    assert len(states) == len(set(states)) == len(list(FOLDER.glob("environments/*/")))


@pytest.mark.promise("TF4")
def test_both_clouds_tell_the_chart_the_same_things() -> None:
    keys = [re.findall(r"^ {4}(\w+) +=", BY_NAME[f"cell-{cloud}"].text, re.MULTILINE) for cloud in ("aws", "gcp")]
    wanted = {"cell", "cloud", "region", "host", "postgresql", "valkey", "kafka", "services"}
    assert all(wanted <= set(each) for each in keys)


@pytest.mark.promise("TF1")
def test_one_code_base_makes_aws_google_cloud_and_confluent_cloud_within_a_major_version() -> None:
    sources = {found for module in MODULES for found in re.findall(r'source  = "([a-z]+/[a-z]+)"', module.text)}
    assert sources == {"hashicorp/aws", "hashicorp/google", "confluentinc/confluent"}
    for module in MODULES:
        assert module.text.count("source  = ") == len(re.findall(r'version = "~> \d+\.\d+"', module.text)), module.path


@pytest.mark.promise("TF2")
def test_a_cell_on_aws_has_kubernetes_postgresql_a_table_objects_and_the_function() -> None:
    used_types = {block.type for name, module in BY_NAME.items() if name.startswith("aws-") for block in module.blocks}
    assert used_types >= {"aws_eks_cluster", "aws_db_instance", "aws_dynamodb_table", "aws_s3_bucket", "aws_lambda_function"}
    sources = {Path(body["source"]).name for body in BY_NAME["cell-aws"].calls.values()}
    assert sources >= {"aws-eks", "aws-postgresql", "aws-dynamodb", "aws-storage", "aws-lab-results"}


@pytest.mark.promise("K1")
def test_kubernetes_is_autopilot_over_a_region_or_eks_over_subnets_that_a_cell_has_in_three_zones() -> None:
    [google] = blocks("google_container_cluster")
    assert google.body["enable_autopilot"] is True
    # A place that is a region and not one of its zones.
    assert google.body["location"] == "${var.region}"
    [amazon] = blocks("aws_eks_cluster")
    [network] = (body for body in amazon.body["vpc_config"] if "subnet_ids" in body)
    assert network["subnet_ids"] == "${var.subnets}"
    assert BY_NAME["cell-aws"].calls["cluster"]["subnets"] == "${module.network.node_subnets}"
    assert BY_NAME["aws-network"].inputs["zones"]["default"] == 3


@pytest.mark.promise("CO2")
def test_what_is_used_is_what_is_paid_for() -> None:
    assert [block.body["enable_autopilot"] for block in blocks("google_container_cluster")] == [True]
    tables = list(blocks("aws_dynamodb_table"))
    assert tables
    assert {block.body["billing_mode"] for block in tables} == {"PAY_PER_REQUEST"}
    [nodes] = blocks("aws_eks_node_group")
    assert nodes.body["capacity_type"] == '${each.value.spot ? "SPOT" : "ON_DEMAND"}'
    for path in FOLDER.glob("sizes/aws-*.json"):
        groups = json.loads(path.read_text())["size"]["nodes"].values()
        # What may be taken away is beside what may not, and both can shrink and grow.
        assert {group["spot"] for group in groups} == {True, False}, path.name
        assert all(group["minimum"] < group["maximum"] for group in groups), path.name


@pytest.mark.promise("DR3")
def test_databases_span_zones_and_their_backups_lie_in_a_second_region_too() -> None:
    [database] = blocks("aws_db_instance")
    assert database.body["multi_az"] is True
    assert database.body["deletion_protection"] is True
    [cache] = blocks("aws_elasticache_replication_group")
    assert cache.body["automatic_failover_enabled"] is True
    assert cache.body["multi_az_enabled"] is True
    away = {
        block.type
        for block in blocks("aws_db_instance_automated_backups_replication", "aws_backup_vault")
        if "provider" in block.body
    }
    assert away == {"aws_db_instance_automated_backups_replication", "aws_backup_vault"}
    [plan] = blocks("aws_backup_plan")
    assert "copy_action" in str(plan.body)
    [record] = (block for block in blocks("aws_route53_record") if block.name == "origin")
    assert {"failover_routing_policy", "health_check_id"} <= set(record.body)


def test_nothing_that_keeps_data_is_without_a_key_of_our_own() -> None:
    keys = {
        "aws_db_instance": "kms_key_id",
        "aws_elasticache_replication_group": "kms_key_id",
        "aws_secretsmanager_secret": "kms_key_id",
        "aws_cloudwatch_log_group": "kms_key_id",
        "aws_sqs_queue": "kms_master_key_id",
        "aws_sns_topic": "kms_master_key_id",
        "aws_backup_vault": "kms_key_arn",
        "google_sql_database_instance": "encryption_key_name",
        "google_artifact_registry_repository": "kms_key_name",
    }
    for kind, argument in keys.items():
        found = list(blocks(kind))
        assert found, kind
        assert all(argument in block.body for block in found), kind
    assert all("encryption" in block.body for block in blocks("google_storage_bucket"))


def test_no_bucket_can_be_made_public() -> None:
    buckets = {block.name for block in blocks("aws_s3_bucket")}
    closed = {block.name: block.body for block in blocks("aws_s3_bucket_public_access_block")}
    assert closed.keys() == buckets
    walls = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    assert all(body[wall] is True for body in closed.values() for wall in walls)
    assert all(block.body["public_access_prevention"] == "enforced" for block in blocks("google_storage_bucket"))


def grants(block: Block) -> list[str]:
    """The actions that a policy allows, statement by statement, as they are written."""
    statements = [statement for name, found in arguments(block.body) if name == "statement" for statement in found or ()]
    return [str(statement["actions"]) for statement in statements if statement.get("effect") != "Deny"]


def test_policies_allow_actions_by_name_and_never_all_of_them() -> None:
    # A key's own policy leaves its administration to the account.
    documents = [block for block in blocks("aws_iam_policy_document") if block.name != "key"]
    allowed = [(block.name, actions) for block in documents for actions in grants(block)]
    assert len(allowed) > 15
    assert [each for each in allowed if ":*" in each[1] or "'*'" in each[1] or '"*"' in each[1]] == []


def test_a_service_reaches_its_own_secret_and_bucket_alone() -> None:
    [document] = (block for block in blocks("aws_iam_policy_document") if block.name == "service")
    statements = [statement for name, found in arguments(document.body) if name == "statement" for statement in found or ()]
    assert [str(statement["resources"]) for statement in statements] == [
        "['${each.value.secret_arn}']",
        "${each.value.key_arns}",
        "['${statement.value.arn}/*']",
        "['${statement.value.arn}']",
    ]


def test_roots_on_aws_lock_and_encrypt_their_state() -> None:
    for module in MODULES:
        if 'backend "s3"' in module.text:
            assert re.search(r"encrypt +\s*= true", module.text), module.path
            assert "use_lockfile = true" in module.text, module.path
    assert {path.name for path in folders() if path.parent.name == "environments" and on_aws_alone(path)} == {"us", "eu", "edge"}


def test_sizes_fit_the_environments_that_take_them() -> None:
    for path in FOLDER.glob("sizes/*.json"):
        root = "gcp" if path.name.startswith("gcp-") else "us"
        declared = read_module(FOLDER / "environments" / root).inputs["size"]["type"]
        size = json.loads(path.read_text())["size"]
        assert set(size) == set(re.findall(r"(?:nodes|database|cache_node_type|one_nat_gateway)(?=\W+)", str(declared)))


def test_the_archive_of_the_function_is_the_same_for_the_same_code(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a" / "one.zip").read_bytes(), write(tmp_path / "two.zip").read_bytes()
    assert first == second
    assert b"lab_results/handler.py" in first
    assert (SOURCE / "lab_results/handler.py").is_file()


@pytest.mark.skipif(
    shutil.which("terraform") is None, reason="no terraform on this machine: its format is checked by make test-terraform"
)
def test_every_file_has_terraforms_own_format() -> None:
    done = subprocess.run(["terraform", "fmt", "-check", "-recursive", FOLDER], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
