"""Providers of SMS and web push, simulated: one server that speaks the API of Twilio and that of a push service (RFC 8030)."""

import sys
from pathlib import Path
from typing import Any, Literal, TypedDict

import httpx

from local_stack.component import OneProcess
from local_stack.ports import free_port
from local_stack.process import ChildProcess
from local_stack.secret_files import new_vapid_key, secret

ACCOUNT_SID = "AC" + "0" * 31 + "1"
SENDER = "+15005550006"

Mode = Literal["hang-after", "hang-before", "error"]
"""Act and never answer; never answer; answer with an error and do nothing."""


class Fault(TypedDict, total=False):
    """What is done to one request: `status`, `code` and `retry_after` belong to an error."""

    mode: Mode
    status: int
    code: int
    retry_after: int


class ProviderSimulator(OneProcess):
    """One server; its secrets are made at the first start and kept in `secrets`. What it was sent is kept in memory."""

    name = "providers"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        guarded: bool = False,
        secrets: Path | None = None,
        log: Path | None = None,
        pid_file: Path | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._secrets = secrets or folder / "secrets"
        token_file = self._secrets / "sms-auth-token"
        self._process = ChildProcess(
            "providers",
            [sys.executable, "-m", "local_stack.provider_server", "--port", str(self.port), "--token-file", str(token_file)],
            log=log or folder / "providers.log",
            pid_file=pid_file or folder / "providers.pid",
            guarded=guarded,
        )

    @property
    def url(self) -> str:
        """Where both APIs are."""
        return f"http://{self.address}"

    @property
    def auth_token(self) -> str:
        """The SMS account's token, made the first time that somebody asks."""
        return secret(self._secrets, "sms-auth-token")

    @property
    def settings(self) -> dict[str, str]:
        """What a service that sends SMS and push is told, without its prefix."""
        return {
            "SMS_URL": self.url,
            "SMS_ACCOUNT_SID": ACCOUNT_SID,
            "SMS_AUTH_TOKEN": self.auth_token,
            "SMS_SENDER": SENDER,
            "PUSH_KEY": secret(self._secrets, "push-key", new_vapid_key),
            "PUSH_SUBJECT": "mailto:operators@bloom.local",
            "PUSH_HOSTS": self.address,
        }

    def start(self) -> None:
        """Start the server; returns before it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # The process reads the token from its file: arguments can be read by everybody on the machine.
        _ = self.auth_token
        self._process.start()

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._ask("GET", "/health").status_code == 200
        except httpx.HTTPError:
            return False

    def sms(self, *, to: str) -> list[dict[str, Any]]:  # Any: the provider's JSON
        """The messages that the provider took for a number, the oldest first."""
        found: list[dict[str, Any]] = self._ask("GET", "/control/sms").json()["messages"]
        return [message for message in found if message["to"] == to]

    def new_browser(self) -> dict[str, Any]:  # Any: a PushSubscription as a browser's JavaScript gives it
        """A browser that subscribes: its endpoint here and the public half of its keys."""
        made: dict[str, Any] = self._ask("POST", "/control/browsers").json()
        return made

    def pushed(self, subscription: dict[str, Any]) -> list[dict[str, Any]]:  # Any: what the service worker gets
        """What a browser was sent, opened with its keys, each request of its own, the oldest first."""
        found: list[dict[str, Any]] = self._browser("GET", subscription).json()["messages"]
        return found

    def shown(self, subscription: dict[str, Any]) -> list[dict[str, Any]]:  # Any: as above
        """What its reader sees: of several with the same tag the newest."""
        return list({message["payload"]["tag"]: message for message in self.pushed(subscription)}.values())

    def forget_browser(self, subscription: dict[str, Any]) -> None:
        """The browser takes its subscription back: from now on the endpoint is gone."""
        self._browser("DELETE", subscription)

    def fail_next(self, api: Literal["sms", "push"], *faults: Fault) -> None:
        """Do this to the next requests that would send something, one after the other."""
        self._ask("PUT", f"/control/faults/{api}", json={"faults": list(faults)}).raise_for_status()

    def faults_left(self, api: Literal["sms", "push"]) -> int:
        """How many of the faults nobody has run into yet."""
        return len(self._ask("GET", f"/control/faults/{api}").json()["faults"])

    def _browser(self, method: str, subscription: dict[str, Any]) -> httpx.Response:
        return self._ask(method, f"/control/browsers/{subscription['endpoint'].rpartition('/')[2]}")

    def _ask(self, method: str, path: str, *, json: object = None) -> httpx.Response:
        return httpx.request(method, self.url + path, json=json, timeout=10.0, trust_env=False)
