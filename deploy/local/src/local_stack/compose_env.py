"""`python -m local_stack.compose_env`: the secrets of docker compose: `.env`, made from `.env.example`, and a file of keys."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from local_stack.names import import_name
from local_stack.own_settings import CALLS, new_key_encryption_keys, new_service_key, trusted_services
from local_stack.paths import ROOT
from local_stack.secret_files import new_key, new_password, new_vapid_key

EXAMPLE = ROOT / ".env.example"
KEY_FILE = ".compose/messaging-key-encryption-keys"

# What is no password, by the ending of the variable's name.
_KINDS: Mapping[str, Callable[[], str]] = {
    "_SERVICE_KEY": new_service_key,
    "_MASTER_KEY": new_key,
    "_LAKE_KEY": new_key,
    "_PUSH_KEY": new_vapid_key,
}


def filled(example: str) -> str:
    """The example with a value for every variable that has none; what is made from another variable stands below it."""
    values: dict[str, str] = {}
    lines = []
    for line in example.splitlines():
        name, is_variable, value = line.partition("=")
        if is_variable and not line.startswith("#"):
            values[name] = value or _fresh(name, values)
            line = f"{name}={values[name]}"  # noqa: PLW2901  # the line as it is written
        lines.append(line)
    return "\n".join(lines) + "\n"


def main(root: Path = ROOT) -> int:
    """Write `.env` and the key file; one that is there stays, for the data in the volumes was made with it."""
    files = {
        ".env": (lambda: filled(EXAMPLE.read_text()), 0o600),
        # Its folder is for the owner alone; the file is mounted into containers whose user is another one.
        KEY_FILE: (new_key_encryption_keys, 0o644),
    }
    for name, (make, mode) in files.items():
        is_new = _write_new(root / name, make, mode)
        print(f"{name} has fresh secrets" if is_new else f"{name} is there already and stays as it is")
    print("Next: docker compose up --build --wait")
    return 0


def _write_new(file: Path, make: Callable[[], str], mode: int) -> bool:
    """Whether there was no such file; then it is made."""
    if not file.parent.exists():
        file.parent.mkdir(mode=0o700)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as opened:
        os.fchmod(descriptor, mode)
        opened.write(make())
    return True


def _fresh(name: str, values: Mapping[str, str]) -> str:
    """A new secret of the kind that the variable's name ends with."""
    if name.endswith("_TRUSTED_SERVICES"):
        callers = [caller for caller, called in CALLS.items() if name == f"{_prefix(called)}_TRUSTED_SERVICES"]
        return trusted_services({caller: values[f"{_prefix(caller)}_SERVICE_KEY"] for caller in callers})
    return next((make() for ending, make in _KINDS.items() if name.endswith(ending)), None) or new_password()


def _prefix(service: str) -> str:
    return import_name(service).upper()


if __name__ == "__main__":
    sys.exit(main())
