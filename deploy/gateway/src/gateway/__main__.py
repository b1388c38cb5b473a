"""`python -m gateway render|run --target local|compose|kubernetes`: print or write the configuration, or start Envoy with it."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

from gateway.render import render
from gateway.run import envoy_command, prepare
from gateway.target import Kind, Target, preset


def main() -> int:
    """Run the command line; 0 when the configuration was written, 2 when what was asked for makes no sense."""
    arguments = _parser().parse_args()
    try:
        target = _target(arguments)
        if arguments.command == "run":
            command = envoy_command(prepare(target, arguments.out, openapi=arguments.openapi), concurrency=arguments.concurrency)
            os.execv(command[0], command)  # noqa: S606  # the program becomes Envoy, so that signals reach it
        elif arguments.out is None:
            sys.stdout.write(render(target))
        else:
            print(f"Wrote {prepare(target, arguments.out, openapi=arguments.openapi)}. Next: envoy -c {arguments.out}/envoy.yaml")
    except (ValueError, OSError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser("render", help="print the Envoy configuration, or write it with the API pages")
    rendering.add_argument("--out", type=Path, help="a folder for envoy.yaml and the pages; standard output without it")
    running = commands.add_parser("run", help="write the configuration and the API pages, then become Envoy")
    running.add_argument("--out", type=Path, required=True, help="a folder for envoy.yaml and the pages")
    running.add_argument("--concurrency", type=int, default=2, help="Envoy's worker threads")
    for command in (rendering, running):
        _add_target(command)
    return parser


def _add_target(command: argparse.ArgumentParser) -> None:
    command.add_argument("--target", choices=get_args(Kind), required=True)
    command.add_argument("--upstream", action="append", default=[], metavar="NAME=HOST:PORT", help="replace or add an upstream")
    command.add_argument("--origin", action="append", default=[], help="a browser origin that may call with credentials")
    command.add_argument("--host", action="append", default=[], help="a host name that is answered; all without one")
    command.add_argument("--port", type=int)
    command.add_argument("--issuer", help="the issuer of access tokens")
    command.add_argument("--hsts-seconds", type=int)
    command.add_argument("--trusted-hops", type=int, help="proxies in front of the gateway whose X-Forwarded-For is believed")
    command.add_argument("--docs-folder", help="where the API pages lie on the machine that runs Envoy, if not beside envoy.yaml")
    command.add_argument("--openapi", type=Path, help="the merged OpenAPI document that the API pages show")


def _target(arguments: argparse.Namespace) -> Target:
    """The usual target of the kind, with what the command line says otherwise."""
    usual = preset(arguments.target)
    named = dict(upstream.partition("=")[::2] for upstream in arguments.upstream)
    single = ("port", "issuer", "hsts_seconds", "trusted_hops", "docs_folder")
    changes = {name: getattr(arguments, name) for name in single if getattr(arguments, name) is not None}
    origins, hosts = arguments.origin or usual.origins, arguments.host or usual.hosts
    return replace(usual, upstreams={**usual.upstreams, **named}, origins=tuple(origins), hosts=tuple(hosts), **changes)


if __name__ == "__main__":
    sys.exit(main())
