"""An open connection for the demo and for the stories of the tests: Socket.IO as an app speaks it, on a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import socketio
from socketio.exceptions import ConnectionError as NotConnected

from local_stack.errors import StackError
from local_stack.process import wait_until

Result = TypeVar("Result")

_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Heard:
    """An event that the server pushed, and the moment at which it came."""

    name: str
    data: dict[str, Any]
    at: datetime


class SocketLine:
    """One connection through the gateway at `url`; open while its block runs, and never opened again by itself."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self.heard: list[Heard] = []
        self.ended_at: datetime | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="socket-line", daemon=True)
        self._client: Any = None

    def __enter__(self) -> Self:
        """Connect; StackError with the server's reason when it refuses."""
        self._thread.start()
        try:
            self._run(self._connect())
        except NotConnected as error:
            self._end_thread()
            raise StackError("sockets", f"the connection was refused: {error}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._run(self._client.disconnect())
        self._end_thread()

    @property
    def is_open(self) -> bool:
        """Whether the server has not ended it."""
        return bool(self._client.connected)

    def tell(self, event: str, data: object) -> dict[str, Any]:
        """Send an event; gives what the server acknowledges: `ok`, or the name of the problem."""
        answer: dict[str, Any] = self._run(self._client.call(event, data, timeout=_PATIENCE_SECONDS))
        return answer

    def await_event(
        self, name: str, where: Callable[[dict[str, Any]], bool] = lambda _: True, *, limit_seconds: float = 30.0
    ) -> Heard:
        """The first event of this name for which `where` holds, from the beginning on; StackError when it does not come."""

        def found() -> Heard | None:
            return next((heard for heard in list(self.heard) if heard.name == name and where(heard.data)), None)

        wait_until(lambda: found() is not None, limit_seconds, pause=0.005)
        heard = found()
        if heard is None:
            came = ", ".join(each.name for each in self.heard) or "nothing"
            raise StackError("sockets", f"no such {name} came within {limit_seconds:.0f} s, but {came}")
        return heard

    async def _connect(self) -> None:
        self._client = socketio.AsyncClient(reconnection=False)
        self._client.on("*", self._keep)
        self._client.on("disconnect", self._note_end)
        await self._client.connect(
            self._url, auth={"token": self._token}, transports=["websocket"], wait_timeout=_PATIENCE_SECONDS
        )

    async def _keep(self, event: str, data: dict[str, Any]) -> None:
        self.heard.append(Heard(event, data, datetime.now(UTC)))

    async def _note_end(self, _reason: str) -> None:
        self.ended_at = datetime.now(UTC)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_SECONDS * 2)

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
