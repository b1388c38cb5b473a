"""Secrets of the local stack: made at the first use, each in a file of its own that only its owner can read."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def new_password() -> str:
    """A password that needs no quoting in URLs, SQL or configuration files."""
    return secrets.token_urlsafe(24).replace("-", "x").replace("_", "y")


def new_key() -> str:
    """32 random bytes in base64, as services expect their master keys."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def new_vapid_key() -> str:
    """A private key for web push (RFC 8292): a number of P-256 in base64url."""
    from cryptography.hazmat.primitives.asymmetric import ec

    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()


def secret(folder: Path, name: str, make: Callable[[], str] = new_password) -> str:
    """The secret of this name; made and kept (mode 0600, in a folder of mode 0700) the first time that somebody asks."""
    file = folder / name
    try:
        return file.read_text()
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    value = make()
    # Written aside and linked, so that of two who ask at once both get the one that came first, whole.
    aside = folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, value.encode())
    os.close(descriptor)
    try:
        os.link(aside, file)
    except FileExistsError:
        return file.read_text()
    finally:
        aside.unlink()
    return value


def told_secret(file: Path | None, variable: str) -> str:
    """A secret that somebody else made: what the file holds, else the variable; SystemExit when there is neither."""
    told = file.read_text() if file else os.environ.get(variable)
    if not told:
        raise SystemExit(f"{variable} is not set, and no file was named")
    return told
