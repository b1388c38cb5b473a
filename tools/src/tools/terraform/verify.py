"""`make test-terraform`: format, validity, the modules' own tests with a made-up cloud, and schemas as the wheels have them.

Terraform gets its providers from wherever its own configuration says, a mirror on this machine or the registry.
"""

import shutil
import sys
from pathlib import Path

from tools.steps import ROOT, Step, python, run_all
from tools.terraform.modules import FOLDER, folders, read_module
from tools.terraform.package import write

PACKAGE = FOLDER / "modules/cell-aws/tests/package.zip"


def on_aws_alone(folder: Path) -> bool:
    """Whether the folder needs no other provider than AWS's."""
    text = read_module(folder).text
    return "hashicorp/aws" in text and "hashicorp/google" not in text and "confluentinc" not in text


def steps(site: str) -> list[Step]:
    """Every root on AWS is validated with the modules that it calls; modules with tests are tested."""
    commands = [Step("format", ["terraform", "fmt", "-check", "-recursive", "-diff", str(FOLDER)])]
    roots = [folder for folder in folders() if folder.parent.name == "environments" and on_aws_alone(folder)]
    tested = sorted(path.parent for path in FOLDER.glob("modules/*/tests"))
    for folder in [*roots, *tested]:
        last = "test" if folder in tested else "validate"
        name = folder.relative_to(FOLDER)
        commands.append(
            Step(f"{name}: init", ["terraform", f"-chdir={folder}", "init", "-backend=false", "-input=false", "-no-color"])
        )
        commands.append(Step(f"{name}: {last}", ["terraform", f"-chdir={folder}", last, "-no-color"]))
    return [*commands, Step("schemas are the wheels' own", python("-m", "tools.terraform.schemas", site, "check"))]


def main(site: str) -> int:
    """Run it all; the exit status."""
    if shutil.which("terraform") is None:
        print("test-terraform: no 'terraform' on the PATH: install Terraform 1.10 or newer", file=sys.stderr)
        return 1
    write(PACKAGE)
    return run_all(steps(str(ROOT / site)), then="make cost")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
