"""`python -m local_stack up|down|status|logs|reset|run|seed|demo|backup|restore|drill`: the commands behind `make`."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from local_stack.errors import StackError
from local_stack.services import SERVICES


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a failure is one line on standard error and status 1."""
    chosen = _parser().parse_args(arguments)
    # Whoever ends the command in either way wants what it started to be stopped as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(chosen)
    except StackError as error:
        print(f"{chosen.command} failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{chosen.command}: stopped by you", file=sys.stderr)
        return 130


def _run(chosen: argparse.Namespace) -> int:
    from local_stack import commands

    command: dict[str, Callable[[], int]] = {
        "up": commands.up,
        "down": commands.down,
        "status": commands.show_status,
        "logs": lambda: commands.show_logs(chosen.service, lines=chosen.lines, is_followed=_is_followed(chosen.follow)),
        "reset": lambda: commands.reset(is_sure=chosen.yes),
        "run": lambda: commands.run_service_command(chosen.service, chosen.arguments),
        "seed": commands.seed_again,
        "demo": _demo,
        "backup": lambda: _recovery().backup(chosen.to),
        "restore": lambda: _recovery().restore(chosen.source, is_sure=chosen.yes),
        "drill": lambda: _recovery().drill(is_sure=chosen.yes),
    }
    return command[chosen.command]()


def _is_followed(asked: bool | None) -> bool:
    return sys.stdout.isatty() if asked is None else asked


def _demo() -> int:
    from local_stack import commands
    from local_stack.demo import demo

    return demo(commands.running_stack())


def _recovery() -> ModuleType:
    from local_stack.recovery import commands

    return commands


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start what does not run and wait until all of it is ready")
    commands.add_parser("down", help="stop everything, keep the data")
    commands.add_parser("status", help="show every component; status 1 when something is down")
    logs = commands.add_parser("logs", help="show a component's log")
    logs.add_argument("service", nargs="?", default="", help="a component such as auth-api, or the beginning of several names")
    logs.add_argument("--lines", type=int, default=40, help="how many of the last lines")
    logs.add_argument("--follow", action=argparse.BooleanOptionalAction, help="go on with new lines (as usual on a terminal)")
    reset = commands.add_parser("reset", help="delete data, logs and secrets after asking")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    run = commands.add_parser(
        "run", help="a service's own command with this platform's variables: run auth create-administrator ..."
    )
    run.add_argument("service", choices=sorted(SERVICES))
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("seed", help="fill in the demo tenant once more")
    commands.add_parser("demo", help="tell the stories of a visit and of a crisis on the running platform")
    backup = commands.add_parser("backup", help="back up databases, topics' settings and places of consumers, sealed")
    backup.add_argument("--to", type=Path, help="a new folder for it (default: one of .local/backups)")
    restore = commands.add_parser("restore", help="bring the platform back to a backup after asking")
    restore.add_argument("--from", dest="source", type=Path, help="the folder of a backup (default: the last one)")
    drill = commands.add_parser("drill", help="back up, destroy, restore and measure, after asking")
    for asking in (restore, drill):
        asking.add_argument("--yes", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    sys.exit(main())
