"""The dashboard of the risk model: what it says, how fast, and what it could not read."""

from tools.dashboards.panels import Dashboard, FromPrometheus, Kind, Panel, Row, Unit, counted, lines, quantiles, split_by

SAYS = Row(
    "What it says",
    (
        Panel(
            "Models that serve",
            "How many processes hold each version.",
            "None, or two versions for longer than a roll-out takes.",
            Unit.NUMBER,
            lines("sum by (name, version) (bloom_scoring_model_loaded)", "{{name}} {{version}}"),
            kind=Kind.NUMBERS,
            bad_below=1,
        ),
        Panel(
            "Outcomes",
            "Messages a second by the level they came to, or why they have none.",
            "The mixture shifts at once without a new model: texts come in another language or form than it was made for.",
            Unit.PER_SECOND,
            lines("sum by (outcome) (rate(bloom_scoring_outcomes_total[$__rate_interval]))", "{{outcome}}"),
        ),
        Panel(
            "Not readable",
            "Messages in an hour that nobody can read or score, by reason. They are raised as unscored.",
            "A reason that is new, or more than one message in a hundred.",
            Unit.NUMBER,
            lines("sum by (reason) (increase(bloom_scoring_unreadable_total[1h]))", "{{reason}}"),
        ),
        Panel(
            "Levels by the day",
            "Patients' messages by level. Levels with fewer than five messages a day are not shown: that is no gap.",
            "A level doubles from week to week: compare it with what people say who answered the alerts.",
            Unit.NUMBER,
            (counted("risk.scored", "day", **split_by("level")),),
            kind=Kind.BARS,
            width=12,
        ),
        Panel(
            "Labels by the day",
            "Patients' messages by the label that the model gave them; fewer than five a day are not shown.",
            "One label takes over: the model drifts, or texts changed.",
            Unit.NUMBER,
            (counted("risk.scored", "day", **split_by("label")),),
            kind=Kind.BARS,
            width=12,
        ),
    ),
)

SPEED = Row(
    "How fast",
    (
        Panel(
            "From message to score",
            "Seconds until a score is stored.",
            "p99 above 1 s.",
            Unit.SECONDS,
            quantiles("bloom_scoring_age_seconds", "service", 0.5, 0.95, 0.99),
            bad_from=1,
        ),
        Panel(
            "The model itself",
            "Seconds that it takes for one text.",
            "p50 rises without longer texts: the machine is shared with something else.",
            Unit.SECONDS,
            quantiles("bloom_scoring_model_seconds", "service", 0.5, 0.99),
        ),
        Panel(
            "Scores on request",
            "Texts a second that callers of the API had scored, refused, or had no room for.",
            "`busy` for minutes: give ml-scoring another process.",
            Unit.PER_SECOND,
            lines("sum by (outcome) (rate(bloom_scoring_predictions_total[$__rate_interval]))", "{{outcome}}"),
        ),
        Panel(
            "Messages that wait for a key",
            "Messages whose conversation's key could not be had yet.",
            "Above nothing for a minute: messaging is away. They are scored when it is back.",
            Unit.NUMBER,
            lines("max(bloom_scoring_waiting_messages)", "waiting"),
            bad_from=1,
        ),
        Panel(
            "Keys",
            "Conversation keys a second by where they came from.",
            "`away` (messaging does not answer) or `unknown` (it does not know the conversation).",
            Unit.PER_SECOND,
            lines("sum by (outcome) (rate(bloom_scoring_keys_total[$__rate_interval]))", "{{outcome}}"),
        ),
        Panel(
            "Time to get a key",
            "Seconds until messaging answered.",
            "p99 above 0.2 s.",
            Unit.SECONDS,
            quantiles("bloom_scoring_key_seconds", "service", 0.5, 0.99),
            bad_from=0.2,
        ),
    ),
)

LOADING = Row(
    "Loading",
    (
        Panel(
            "Models refused",
            "Chosen models that could not be loaded in a day, by problem.",
            "Ever: the registry holds a damaged model, or this machine gives other answers than its maker's.",
            Unit.NUMBER,
            lines("sum by (problem) (increase(bloom_scoring_model_refusals_total[1d])) > 0", "{{problem}}"),
            width=12,
            bad_from=1,
        ),
        Panel(
            "Fetched",
            "How much of the model that is being fetched has arrived.",
            "It stands still below 100.",
            Unit.PERCENT,
            (FromPrometheus("min by (process) (bloom_scoring_model_load_percent)", "{{process}}"),),
            width=12,
        ),
    ),
)

MODEL = Dashboard(
    "bloom-model",
    "Bloom: risk model",
    "For those who answer for the model: what it says, whether that drifts, how fast it is, and what it could not read.",
    (SAYS, SPEED, LOADING),
    since="now-24h",
)
