"""The bill of materials says what an image's locked list says, in the form of CycloneDX 1.6."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from images.catalog import images
from images.sbom import bill_of_materials, locked_packages, written
from local_stack.paths import ROOT

LOCK = """\
alpha==1.0 \\
    --hash=sha256:1111111111111111111111111111111111111111111111111111111111111111 \\
    --hash=sha256:2222222222222222222222222222222222222222222222222222222222222222
    # via
    #   -c requirements/dev.txt
    #   -r requirements/images/x.in
    #   be-ta
be-ta[speed]==2.0 \\
    --hash=sha256:3333333333333333333333333333333333333333333333333333333333333333
    # via -r requirements/images/x.in
windows-only==3.0 ; sys_platform == 'win32' \\
    --hash=sha256:4444444444444444444444444444444444444444444444444444444444444444
    # via be-ta
"""


def document(name: str, text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(written(bill_of_materials(name, text)))
    return loaded


def needs(document: Mapping[str, Any]) -> dict[str, set[str]]:
    return {row["ref"]: set(row.get("dependsOn", ())) for row in document["dependencies"]}


@pytest.mark.parametrize("image", images(), ids=lambda image: image.name)
def test_each_image_has_a_valid_bill_of_exactly_what_its_lock_installs_on_linux(image: Any) -> None:
    text = (ROOT / image.lock).read_text()
    whole = written(bill_of_materials(image.tag, text))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(whole) is None
    pinned = set(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^ ;]+)", text, re.MULTILINE))
    told = {(part["name"], part["version"]) for part in json.loads(whole)["components"]}
    assert told <= pinned
    # What is left out is left out for a marker, never for its name.
    left_out = {name for name, version in pinned - told}
    assert all(re.search(rf"^{re.escape(name)}==[^ ]+ ;", text, re.MULTILINE) for name in left_out)
    direct = {line for line in (ROOT / image.lock).with_suffix(".in").read_text().splitlines() if line[:1].isalpha()}
    assert {reference.split("/")[1].split("@")[0] for reference in needs(json.loads(whole))[image.tag]} == direct


def test_hashes_and_who_needs_whom_are_those_of_the_list() -> None:
    told = document("bloom/x", LOCK)
    parts = {part["name"]: part for part in told["components"]}
    assert set(parts) == {"alpha", "be-ta"}
    assert [each["content"][0] for each in parts["alpha"]["hashes"]] == ["1", "2"]
    assert parts["be-ta"]["purl"] == "pkg:pypi/be-ta@2.0"
    assert needs(told)["bloom/x"] == {"pkg:pypi/alpha@1.0", "pkg:pypi/be-ta@2.0"}
    assert needs(told)["pkg:pypi/be-ta@2.0"] == {"pkg:pypi/alpha@1.0"}


def test_a_marker_decides_for_the_target_it_is_asked_about() -> None:
    windows = {"sys_platform": "win32"}
    assert {package.name for package in locked_packages(LOCK, windows)} == {"alpha", "be-ta", "windows-only"}


def test_the_same_list_gives_the_same_document_and_another_list_another_number() -> None:
    assert written(bill_of_materials("bloom/x", LOCK)) == written(bill_of_materials("bloom/x", LOCK))
    first, again, other = (document("bloom/x", text)["serialNumber"] for text in (LOCK, LOCK, LOCK.replace("==2.0", "==2.1")))
    assert first == again
    assert first != other
