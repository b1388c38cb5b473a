"""A software bill of materials (CycloneDX 1.6, JSON) of an image's Python packages, from the locked list that it is made of.

It runs inside the build of an image, where nothing of this repository is: `python sbom.py --name bloom/auth requirements.txt`.
The same list always gives the same document, so that two builds can be compared.
"""

import argparse
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker

# Images are built for this; a list is resolved for every platform and says by markers what is for others.
TARGET: Mapping[str, str] = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.14",
    "python_version": "3.11",
    "sys_platform": "linux",
}
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^ ;\\]+)( ; (?P<marker>[^\\]+))?")
# Below a package stand those that need it, and the list itself where that is what asked for it.
_VIA = re.compile(r"^    #(?: via)?\s+(?P<asked>-r )?(?P<name>[A-Za-z0-9._/-]+)$")


@dataclass
class Locked:
    """A package of the list: its exact version, the sums of the files that may be installed, and what needs it."""

    name: str
    version: str
    hashes: list[str] = field(default_factory=list)
    needed_by: list[str] = field(default_factory=list)
    is_asked_for: bool = False

    @property
    def reference(self) -> str:
        """Its package URL, by which the rest of the world knows it."""
        return f"pkg:pypi/{self.name}@{self.version}"


def locked_packages(text: str, target: Mapping[str, str] = TARGET) -> list[Locked]:
    """The packages of a locked list that are installed on the target."""
    found: list[Locked] = []
    is_for_us = False
    for line in text.splitlines():
        if pin := _PIN.match(line):
            marker = pin["marker"]
            is_for_us = marker is None or Marker(marker).evaluate(dict(target))
            if is_for_us:
                found.append(Locked(_normal(pin["name"]), pin["version"]))
        elif is_for_us and (sums := re.findall(r"--hash=sha256:([0-9a-f]{64})", line)):
            found[-1].hashes += sums
        elif is_for_us and (via := _VIA.match(line)):
            if via["asked"]:
                found[-1].is_asked_for = True
            else:
                found[-1].needed_by.append(_normal(via["name"]))
    return found


def bill_of_materials(name: str, text: str) -> Bom:
    """The bill of an image of this name that is made of this list; its number follows from the two."""
    packages = locked_packages(text)
    components = {package.name: _component(package) for package in packages}
    image = Component(name=name, type=ComponentType.CONTAINER, bom_ref=name)
    bom = Bom(components=components.values(), serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{name}\n{text}"))
    bom.metadata.component = image
    # The library's setter takes None and leaves the time out, though its type does not say so.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    needs: dict[str, list[Component]] = {each: [] for each in components}
    for package in packages:
        for parent in package.needed_by:
            needs.get(parent, []).append(components[package.name])
    bom.register_dependency(image, [components[package.name] for package in packages if package.is_asked_for])
    for parent, children in needs.items():
        bom.register_dependency(components[parent], children)
    return bom


def written(bom: Bom) -> str:
    """The document as text, the same for the same bill."""
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _component(package: Locked) -> Component:
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=PackageURL.from_string(package.reference),
        bom_ref=package.reference,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in package.hashes],
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Write the document to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="the image's name")
    parser.add_argument("lock", type=Path, help="the locked list of its packages")
    arguments = parser.parse_args()
    sys.stdout.write(written(bill_of_materials(arguments.name, arguments.lock.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
