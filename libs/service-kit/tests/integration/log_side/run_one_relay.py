"""A relay as a process of its own, for the tests that kill it: `run_one_relay.py <dsn> <bootstrap> <topic>`."""

import asyncio
import signal
import sys

from pydantic import SecretStr

from service_kit.relay import Relay, RelayOptions


async def main(dsn: str, bootstrap: str, topic: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    options = RelayOptions(
        dsn=SecretStr(dsn),
        bootstrap=bootstrap,
        environment="test",
        topics=frozenset({topic}),
        batch_rows=100,
        window_rows=300,
        standby_seconds=0.2,
    )
    await Relay(options).run(stop)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
