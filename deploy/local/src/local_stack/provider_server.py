"""The process of the simulated providers. `python -m local_stack.provider_server --help`."""

import argparse
import asyncio
from pathlib import Path
from typing import get_args

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from local_stack.ports import HOST
from local_stack.provider_faults import Faults
from local_stack.providers import Mode
from local_stack.push_service import PushService
from local_stack.secret_files import told_secret
from local_stack.sms_api import SmsApi


def web(token: str) -> Starlette:
    """Both APIs, and what tests use to look at them and to break them."""
    apis = {"sms": Faults(), "push": Faults()}
    sms, push = SmsApi(token, apis["sms"]), PushService(apis["push"])

    async def faults(request: Request) -> Response:
        chosen = apis[request.path_params["api"]]
        if request.method == "PUT":
            wanted = (await request.json())["faults"]
            if not {fault["mode"] for fault in wanted} <= set(get_args(Mode)):
                return PlainTextResponse(f"modes are {', '.join(get_args(Mode))}", 422)
            chosen.waiting = wanted
        return JSONResponse({"faults": chosen.waiting})

    async def sent(_: Request) -> Response:
        return JSONResponse({"messages": sms.messages})

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/control/faults/{api:str}", faults, methods=["GET", "PUT"]),
            Route("/control/sms", sent),
            *push.control_routes(),
            Mount("/2010-04-01", routes=sms.routes()),
            *push.routes(),
        ]
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until a signal."""
    app = web(told_secret(arguments.token_file, "BLOOM_SMS_AUTH_TOKEN"))
    config = uvicorn.Config(app, host=arguments.host, port=arguments.port, log_level="warning", timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.provider_server", description=__doc__)
    parser.add_argument("--host", default=HOST, help="the address to listen on; a container's own is every one")
    parser.add_argument("--port", type=int, required=True, help="for both APIs")
    parser.add_argument("--token-file", type=Path, help="holds the token of the SMS account; else BLOOM_SMS_AUTH_TOKEN does")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
