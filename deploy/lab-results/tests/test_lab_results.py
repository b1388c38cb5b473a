"""The function that lists laboratories' documents, against moto's S3 and DynamoDB."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest
from moto import mock_aws

from lab_results.documents import LARGEST_BYTES, UnfitDocument, check_pdf, place_of
from lab_results.handler import list_documents

BUCKET, TABLE = "bloom-test-lab-results", "bloom-test-documents"
TENANT, PATIENT, DOCUMENT = (str(UUID(int=number)) for number in (1, 2, 3))
KEY = f"incoming/{TENANT}/{PATIENT}/{DOCUMENT}.pdf"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@pytest.fixture(scope="module")
def cloud() -> Iterator[tuple[Any, Any]]:
    with mock_aws():
        access = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        objects, tables = (boto3.client(name, **access) for name in ("s3", "dynamodb"))
        objects.create_bucket(Bucket=BUCKET)
        objects.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
        attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
        tables.create_table(TableName=TABLE, KeySchema=keys, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST")
        yield objects, tables


@pytest.fixture
def clients(cloud: tuple[Any, Any]) -> Iterator[tuple[Any, Any]]:
    yield cloud
    for item in rows(cloud[1]):
        cloud[1].delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})


def put(objects: Any, content: bytes = PDF, key: str = KEY) -> dict[str, Any]:
    """Put a document and return the notification that S3 would send."""
    version = objects.put_object(Bucket=BUCKET, Key=key, Body=content)["VersionId"]
    place = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": len(content), "versionId": version}}
    return {"Records": [{"eventTime": "2026-11-03T10:00:00.000Z", "s3": place}]}


def rows(tables: Any) -> list[dict[str, Any]]:
    return tables.scan(TableName=TABLE)["Items"]


def test_a_document_is_listed_by_its_tenant_and_by_its_patient(clients: tuple[Any, Any]) -> None:
    objects, tables = clients
    assert list_documents(put(objects), objects=objects, tables=tables, table=TABLE) == {"listed": 1, "known": 0}
    [item] = rows(tables)
    assert item["pk"]["S"] == f"TENANT#{TENANT}#LAB#{DOCUMENT}"
    assert item["gsi1_pk"]["S"] == f"TENANT#{TENANT}#PATIENT#{PATIENT}"
    assert item["sha256"]["S"] == hashlib.sha256(PDF).hexdigest()
    assert item["size_bytes"]["N"] == str(len(PDF))


def test_a_notification_that_comes_twice_lists_its_document_once(clients: tuple[Any, Any]) -> None:
    objects, tables = clients
    notification = put(objects)
    list_documents(notification, objects=objects, tables=tables, table=TABLE)
    assert list_documents(notification, objects=objects, tables=tables, table=TABLE) == {"listed": 0, "known": 1}
    assert len(rows(tables)) == 1


def test_the_version_of_the_notification_is_listed_although_another_was_put_over_it(clients: tuple[Any, Any]) -> None:
    objects, tables = clients
    notification = put(objects)
    put(objects, PDF + b"%%EOF\n")
    list_documents(notification, objects=objects, tables=tables, table=TABLE)
    assert rows(tables)[0]["sha256"]["S"] == hashlib.sha256(PDF).hexdigest()


@pytest.mark.parametrize("content", [b"", b"MZ\x90\x00", b"%PDF-1.7\n1 0 obj", b"<html>%PDF-1.7 %%EOF</html>"])
def test_what_is_no_whole_pdf_is_not_listed(clients: tuple[Any, Any], content: bytes) -> None:
    objects, tables = clients
    with pytest.raises(UnfitDocument):
        list_documents(put(objects, content), objects=objects, tables=tables, table=TABLE)
    assert rows(tables) == []


def test_a_document_that_is_too_large_is_never_read(clients: tuple[Any, Any]) -> None:
    objects, tables = clients
    notification = put(objects)
    notification["Records"][0]["s3"]["object"]["size"] = LARGEST_BYTES + 1
    notification["Records"][0]["s3"]["object"]["versionId"] = "no-such-version"
    with pytest.raises(UnfitDocument, match="larger"):
        list_documents(notification, objects=objects, tables=tables, table=TABLE)


@pytest.mark.parametrize(
    "key", ["incoming/a.pdf", f"incoming/{TENANT}/../{DOCUMENT}.pdf", f"other/{TENANT}/{PATIENT}/{DOCUMENT}.pdf", f"{KEY}.exe"]
)
def test_a_key_outside_the_one_form_says_nothing_of_its_content(key: str) -> None:
    with pytest.raises(UnfitDocument) as error:
        place_of(key)
    assert key not in str(error.value)


def test_the_log_names_no_patient(clients: tuple[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    objects, tables = clients
    list_documents(put(objects), objects=objects, tables=tables, table=TABLE)
    printed = capsys.readouterr().out
    assert '"listed": 1' in printed
    assert PATIENT not in printed


def test_a_table_that_is_away_is_an_error_that_lambda_tries_again(clients: tuple[Any, Any]) -> None:
    objects, tables = clients
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        list_documents(put(objects), objects=objects, tables=tables, table="no-such-table")


def test_a_pdf_may_end_with_a_line_or_two_after_its_mark() -> None:
    check_pdf(PDF + b"\r\n\r\n")


def test_the_function_needs_nothing_that_lambda_does_not_bring() -> None:
    source = Path(__file__).parents[1] / "src/lab_results"
    imported = {
        line.split()[1].split(".")[0]
        for path in source.glob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= {
        "boto3",
        "botocore",
        "collections",
        "dataclasses",
        "datetime",
        "hashlib",
        "json",
        "lab_results",
        "os",
        "re",
        "typing",
        "urllib",
        "uuid",
    }
