"""What Lambda calls when a document was put into the bucket: it is checked and listed; failures are tried again, then parked."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.exceptions import ClientError

from lab_results.documents import LARGEST_BYTES, UnfitDocument, check_pdf, place_of, row


def handle(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """List every document of a notification from S3; raises for the first that cannot be, so that Lambda parks it all."""
    return list_documents(
        event, objects=boto3.client("s3"), tables=boto3.client("dynamodb"), table=os.environ["LAB_RESULTS_TABLE"]
    )


def list_documents(event: Mapping[str, Any], *, objects: Any, tables: Any, table: str) -> dict[str, int]:
    """How many documents were new and how many were listed before: a notification may come twice."""
    counted = {"listed": 0, "known": 0}
    for record in event.get("Records", []):
        is_new = _list_one(record, objects=objects, tables=tables, table=table)
        counted["listed" if is_new else "known"] += 1
    print(json.dumps({"event": "lab_results.listed", **counted}))  # Lambda's log is its standard output
    return counted


def _list_one(record: Mapping[str, Any], *, objects: Any, tables: Any, table: str) -> bool:
    source = record["s3"]
    bucket, key = source["bucket"]["name"], unquote_plus(source["object"]["key"])
    version = source["object"]["versionId"]
    place = place_of(key)
    if source["object"]["size"] > LARGEST_BYTES:
        raise UnfitDocument("the document is larger than any report")
    # The version of the notification, not the newest: what was put over it later has a notification of its own.
    content = objects.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
    check_pdf(content)
    received_at = datetime.fromisoformat(record["eventTime"])
    item = row(place, bucket=bucket, key=key, version=version, content=content, received_at=received_at)
    return _put_once(tables, table, item)


def _put_once(tables: Any, table: str, item: Mapping[str, Any]) -> bool:
    try:
        tables.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True
