"""What each service is told beside what every service is told: its keys, and where those are whom it calls."""

import json
from collections.abc import Mapping
from pathlib import Path

from local_stack.objects import ObjectStore
from local_stack.paths import ROOT
from local_stack.ports import HOST
from local_stack.secret_files import new_key, secret
from local_stack.servers import Servers

Settings = Mapping[str, Mapping[str, str]]

# Who calls whom in its own name, at routes that no gateway lets through.
CALLS: Mapping[str, str] = {"ml-scoring": "messaging", "notifications": "auth"}
MODELS = ROOT / "services" / "ml-scoring" / "models"


def settings_by_service(
    servers: Servers, secrets: Path, ports: Mapping[str, int], *, tenant: str, further: Settings
) -> dict[str, dict[str, str]]:
    """By service; the keys are made at the first use and kept in `secrets`. `further` settings come last and win."""
    ours = {
        "auth": _auth(secrets, ports, tenant),
        "analytics": _analytics(servers, secrets),
        "messaging": _messaging(servers, secrets),
        "ml-scoring": {"MODELS": str(MODELS)},
        "notifications": _notifications(servers, secrets, ports),
    }
    keys = {caller: secret(secrets, f"{caller}-service-key", new_service_key) for caller in CALLS}
    for caller, called in CALLS.items():
        ours[caller] |= {"SERVICE_KEY": keys[caller], f"{called.upper()}_URL": f"http://{HOST}:{ports[f'{called}-api']}"}
        ours[called]["TRUSTED_SERVICES"] = trusted_services({caller: keys[caller]})
    return {service: {**ours.get(service, {}), **further.get(service, {})} for service in {**ours, **further}}


def trusted_services(private_keys: Mapping[str, str]) -> str:
    """The setting by which a service knows these callers: the public halves of their keys, by name."""
    from service_kit.service_tokens import public_service_key

    return json.dumps({name: public_service_key(private) for name, private in private_keys.items()})


def new_service_key() -> str:
    """A private key by which a service calls others."""
    from service_kit import service_tokens

    return service_tokens.new_service_key()


def new_key_encryption_keys() -> str:
    """The content of a file with one key-encryption key, as messaging reads it."""
    return json.dumps({"current": "first", "keys": {"first": new_key()}})


def _auth(secrets: Path, ports: Mapping[str, int], tenant: str) -> dict[str, str]:
    gateway = f"http://{HOST}:{ports['gateway']}"
    return {
        "MASTER_KEY": secret(secrets, "auth-master-key", new_key),
        "DEFAULT_TENANT": tenant,
        "ALLOWED_ORIGINS": f"{gateway},http://localhost:{ports['gateway']},http://localhost:3000",
        # Browsers send Secure cookies to plain http nowhere but on localhost, and some not even there.
        "COOKIES_SECURE": "false",
        # The gateway says in X-Forwarded-For, alone, who is asking.
        "TRUSTED_PROXIES": "1",
    }


def objects_settings(objects: ObjectStore) -> dict[str, str]:
    """Where messaging keeps attachments; clients on this machine reach the store at the same address."""
    return {
        "ATTACHMENT_STORE": "s3://bloom-attachments",
        "ATTACHMENT_STORE_ENDPOINT": objects.url,
        "ATTACHMENT_STORE_PUBLIC_ENDPOINT": objects.url,
        "ATTACHMENT_STORE_ACCESS_KEY": objects.access_key,
        "ATTACHMENT_STORE_SECRET_KEY": objects.secret_key,
    }


def lake_settings(objects: ObjectStore) -> dict[str, str]:
    """Where analytics keeps the lake."""
    return {
        "LAKE_STORE": "s3://bloom-lake",
        "LAKE_STORE_ENDPOINT": objects.url,
        "LAKE_STORE_ACCESS_KEY": objects.access_key,
        "LAKE_STORE_SECRET_KEY": objects.secret_key,
    }


def _analytics(servers: Servers, secrets: Path) -> dict[str, str]:
    return {"LAKE_KEY": secret(secrets, "analytics-lake-key", new_key), **lake_settings(servers.objects)}


def _messaging(servers: Servers, secrets: Path) -> dict[str, str]:
    name = "messaging-key-encryption-keys"
    secret(secrets, name, new_key_encryption_keys)
    return {"KEY_ENCRYPTION": f"file:{secrets / name}", **objects_settings(servers.objects)}


def _notifications(servers: Servers, secrets: Path, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "MASTER_KEY": secret(secrets, "notifications-master-key", new_key),
        "PUBLIC_URL": f"http://{HOST}:{ports['gateway']}",
        **servers.mail.settings,
        **servers.providers.settings,
    }
