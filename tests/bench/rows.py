"""The rows of the benchmarks, by id."""

from collections.abc import Awaitable, Mapping
from typing import Protocol

from tests.bench import alert_hop, api, consumer, crisis, relay, scorer, scoring, sockets, window_growth, window_results, windows

from tools.results import Row


class Bench(Protocol):
    """Measures one thing and returns its rows; `long` asks for more rounds."""

    def __call__(self, *, long: bool) -> Awaitable[list[Row]]: ...


ROWS: Mapping[str, Bench] = {
    "relay-vs-producer": relay.relay_vs_producer,
    "relay-vs-debezium": relay.relay_vs_debezium,
    "commit-to-kafka": relay.commit_to_kafka,
    "api-vs-starlette": api.api_vs_starlette,
    "post-vs-bare-post": api.post_vs_bare_post,
    "consumer-vs-no-inbox": consumer.consumer_vs_no_inbox,
    "login-flood": api.login_flood,
    "score-vs-torch-minilm": scoring.score_vs_torch_minilm,
    "score-vs-torch-xlmr": scoring.score_vs_torch_xlmr,
    "score-vs-ort": scoring.score_vs_ort,
    "scorer-end-to-end": scorer.scorer_end_to_end,
    "message-to-socket": crisis.message_to_socket,
    "commit-to-alert": crisis.commit_to_alert,
    "sockets": sockets.sockets,
    "alert-hop": alert_hop.alert_hop,
    "windows-vs-kafka-streams": windows.windows_vs_kafka_streams,
    "windows-told-vs-kafka-streams": windows.windows_told_vs_kafka_streams,
    "windows-vs-faust-table": windows.windows_vs_faust_table,
    "event-to-result": window_results.event_to_result,
    "windows-growth": window_growth.windows_growth,
}
