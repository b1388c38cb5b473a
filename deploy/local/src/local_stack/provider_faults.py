"""Faults of a simulated provider: each is run into once, in the order in which they were asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.responses import JSONResponse, Response

from local_stack.providers import Fault

_NEVER_SECONDS = 3600.0


@dataclass
class Faults:
    """What waits for the next requests of one API."""

    waiting: list[Fault] = field(default_factory=list)

    async def around(self, act: Callable[[], Awaitable[Response]]) -> Response:
        """Answer as `act` does, or run into the next fault, with or without acting before."""
        fault = self.waiting.pop(0) if self.waiting else None
        if fault is None:
            return await act()
        if fault["mode"] == "error":
            return _refusal(fault)
        if fault["mode"] == "hang-after":
            await act()
        await asyncio.sleep(_NEVER_SECONDS)
        return Response(status_code=504)


def _refusal(fault: Fault) -> Response:
    status, code = fault.get("status", 500), fault.get("code", 20500)
    headers = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else None
    body = {"code": code, "message": "A fault that was asked for", "more_info": "", "status": status}
    return JSONResponse(body, status, headers)
