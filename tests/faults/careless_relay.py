"""A relay with a planted bug: it commits without waiting for Kafka's acknowledgements. `careless_relay <dsn> <bootstrap>`."""

import asyncio
import sys
from typing import Any

from confluent_kafka import Producer
from pydantic import SecretStr

from service_kit.relay import Relay, RelayOptions


class ForgetfulProducer(Producer):
    """Says that everything is acknowledged while it still waits to be sent."""

    def flush(self, *_: Any) -> int:
        """Nothing is left, it says."""
        return 0

    def __len__(self) -> int:
        return 0


async def main(dsn: str, bootstrap: str) -> None:
    """Run until killed."""
    late = {"linger.ms": 30_000}
    options = RelayOptions(dsn=SecretStr(dsn), bootstrap=bootstrap, environment="test", producer=late)
    await Relay(options, ForgetfulProducer).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
