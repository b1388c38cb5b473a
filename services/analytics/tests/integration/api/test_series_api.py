"""Series: what is answered to whom, gaps, comparisons, running totals, closed windows with their corrections, and refusals."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

TODAY = datetime(2030, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
BOOKED = "appointments.booked"


async def ask(api, headers: dict[str, str], metric: str = BOOKED, *, status: int = 200, **asked: Any) -> dict[str, Any]:
    """The answer about three days until today, unless other times are given."""
    start, end = asked.pop("start", TODAY - 2 * DAY), asked.pop("end", TODAY + DAY)
    params = {"metric": metric, "step": "day", "from": start.isoformat(), "to": end.isoformat(), **asked}
    response = await api.get("/api/analytics/series", params=params, headers=headers)
    assert response.status_code == status, response.text
    return response.json()


def counts(answer: dict[str, Any], at: int = 0, field: str = "count") -> list[Any]:
    return [point[field] for point in answer["series"][at]["points"]]


async def test_the_catalogue_lists_every_metric_with_its_steps_and_groups(api, practice):
    response = await api.get("/api/analytics/metrics", headers=practice.bearer())

    booked = next(each for each in response.json()["items"] if each["name"] == BOOKED)
    assert booked["steps"] == ["minute", "hour", "day"]
    assert booked["groups"] == [[], ["therapist_id"]]
    assert "revenue.paid" in {each["name"] for each in response.json()["items"]}


async def test_days_without_events_are_zero_and_days_of_others_are_not_seen(api, practice, neighbour):
    await practice.add(BOOKED, TODAY - 2 * DAY, 3)
    await practice.add(BOOKED, TODAY, 2)
    await neighbour.add(BOOKED, TODAY, 40)

    answer = await ask(api, practice.bearer())

    assert counts(answer) == [3, 0, 2]
    assert [point["start"][:10] for point in answer["series"][0]["points"]] == ["2030-01-07", "2030-01-08", "2030-01-09"]
    assert answer["series"][0]["summary"] == {"count": 5, "total": None, "share": None}


async def test_an_organisation_of_which_nothing_is_known_yet_has_a_series_of_zeros(api, practice):
    assert counts(await ask(api, practice.bearer())) == [0, 0, 0]


async def test_windows_that_have_not_begun_are_no_zeros(api, practice):
    assert len(counts(await ask(api, practice.bearer(), end=TODAY + 30 * DAY))) == 3


async def test_a_final_and_an_open_window_say_so(api, practice):
    await practice.add(BOOKED, TODAY - DAY, 1)
    await practice.add(BOOKED, TODAY, 1)
    await practice.tell()

    points = (await ask(api, practice.bearer()))["series"][0]["points"]

    assert [(point["revision"], point["isFinal"]) for point in points] == [(0, False), (1, True), (1, False)]


async def test_a_closed_window_and_what_came_after_it_was_closed_are_one(api, practice):
    await practice.add(BOOKED, TODAY - DAY, 4)
    await practice.tell()
    await practice.close()
    assert counts(await ask(api, practice.bearer())) == [0, 4, 0]

    await practice.add(BOOKED, TODAY - DAY, 1)
    answer = await ask(api, practice.bearer())

    assert counts(answer) == [0, 5, 0]
    assert answer["series"][0]["points"][1]["isFinal"] is True


async def test_a_person_who_comes_again_after_a_window_was_closed_counts_once(api, practice):
    await practice.add("people.active", TODAY - DAY, members=[b"one", b"two"])
    await practice.tell()
    await practice.close()
    await practice.add("people.active", TODAY - DAY, members=[b"two", b"three"])

    assert counts(await ask(api, practice.bearer(), "people.active")) == [0, 3, 0]


async def test_percentiles_are_within_one_per_cent_also_of_a_closed_window_with_a_correction(api, practice):
    metric = "appointments.lead-time"
    await practice.add(metric, TODAY - DAY, values=[float(value) for value in range(1, 100)])
    await practice.tell()
    await practice.close()
    await practice.add(metric, TODAY - DAY, values=[100.0, 0.0])

    points = (await ask(api, practice.bearer(), metric))["series"][0]["points"]

    assert points[1]["count"] == 101
    assert points[1]["percentiles"]["p50"] == pytest.approx(50, rel=0.01)
    assert points[1]["percentiles"]["p99"] == pytest.approx(99, rel=0.01)
    assert (points[0]["count"], points[0]["percentiles"]) == (0, None)


async def test_the_period_before_is_as_long_and_the_change_is_told(api, practice):
    for days_ago, n in ((5, 2), (4, 2), (3, 0), (2, 1), (1, 2), (0, 2)):
        await practice.add(BOOKED, TODAY - days_ago * DAY, n)

    answer = (await ask(api, practice.bearer(), compare="previous"))["series"][0]

    assert [point["count"] for point in answer["points"]] == [1, 2, 2]
    assert [point["count"] for point in answer["previous"]["points"]] == [2, 2, 0]
    assert answer["change"] == pytest.approx(0.25)


async def test_a_week_that_still_runs_is_compared_with_as_much_of_the_one_before(api, practice):
    answer = (await ask(api, practice.bearer(), start=TODAY - DAY, end=TODAY + 6 * DAY, compare="previous"))["series"][0]

    assert [point["start"][:10] for point in answer["previous"]["points"]] == ["2030-01-01", "2030-01-02"]


async def test_a_running_total_begins_with_the_first_event_ever(api, practice):
    await practice.add("alerts.open", TODAY - 300 * DAY, 7, 7)
    await practice.tell()
    await practice.close()
    await practice.add("alerts.open", TODAY - DAY, 3, -1)

    answer = await ask(api, practice.bearer(), "alerts.open", cumulative="true")

    assert counts(answer, field="cumulative") == [7, 6, 6]
    assert counts(answer, field="total") == [0, -1, 0]


async def test_a_share_is_a_part_of_what_was_counted(api, practice):
    await practice.add("appointments.no-show-rate", TODAY - DAY, 8, 2, span="week-by-day")

    answer = await ask(api, practice.bearer(), "appointments.no-show-rate", step="week-by-day")

    assert counts(answer, field="share") == [None, 0.25, None]
    assert answer["series"][0]["summary"] is None, "windows that overlap add up to nothing"


async def test_groups_too_small_are_left_out_and_look_like_empty_ones(api, practice):
    await practice.add("risk.scored", TODAY - DAY, 4)
    await practice.add("risk.scored", TODAY, 5)

    answer = await ask(api, practice.bearer(), "risk.scored")

    assert counts(answer) == [None, None, 5]
    assert counts(answer, field="isSuppressed") == [True, True, False]
    assert answer["series"][0]["summary"]["count"] == 5


async def test_a_grouping_gives_a_series_for_each_value_and_only_picks_some(api, practice):
    for level, n in (("high", 6), ("low", 9)):
        await practice.add("alerts.raised", TODAY, n, group={"level": level})

    both = await ask(api, practice.bearer(), "alerts.raised", group="level")
    one = await ask(api, practice.bearer(), "alerts.raised", only="level:high")

    assert [each["dimensions"] for each in both["series"]] == [{"level": "high"}, {"level": "low"}]
    assert [each["dimensions"] for each in one["series"]] == [{"level": "high"}]
    assert (await ask(api, practice.bearer(), "revenue.paid", group="currency"))["series"] == []


async def test_therapists_see_their_own_series_without_asking_and_nothing_else(api, practice):
    for therapist, n in ((practice.therapist, 3), (practice.colleague, 8)):
        await practice.add(BOOKED, TODAY, n, group={"therapist_id": str(therapist)})
    await practice.add(BOOKED, TODAY, 11)
    me = practice.bearer("THERAPIST", subject=practice.therapist)

    for asked in ({}, {"group": "therapist_id"}, {"only": f"therapist_id:{practice.therapist}"}):
        answer = await ask(api, me, **asked)
        assert [each["dimensions"] for each in answer["series"]] == [{"therapist_id": str(practice.therapist)}]
        assert counts(answer) == [0, 0, 3]
    foreign = await ask(api, me, only=f"therapist_id:{practice.colleague}", status=404)
    missing = await ask(api, practice.bearer(), only=f"therapist_id:{uuid4()}", status=404)
    assert foreign["type"] == missing["type"] == "urn:bloom:problem:series-not-found"
    for metric in ("messages.sent", "people.active"):
        await ask(api, me, metric, status=403)


async def test_a_therapist_of_whom_nothing_was_counted_has_a_series_of_zeros(api, practice):
    assert counts(await ask(api, practice.bearer("THERAPIST", subject=uuid4()))) == [0, 0, 0]


async def test_patients_have_no_business_here(api, practice):
    await ask(api, practice.bearer("PATIENT"), status=403)
    assert (await api.get("/api/analytics/metrics", headers=practice.bearer("PATIENT"))).status_code == 403


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"metric": "appointments.invented"}, "unknown-metric"),
        ({"step": "week-by-day"}, "step-not-measured"),
        ({"step": "fortnight"}, "step-not-measured"),
        ({"group": "currency"}, "group-not-measured"),
        ({"only": "level:high"}, "group-not-measured"),
        ({"start": TODAY, "end": TODAY}, "range-not-valid"),
        ({"start": TODAY, "end": TODAY - DAY}, "range-not-valid"),
        ({"start": datetime(1, 1, 1, tzinfo=UTC)}, "range-not-valid"),
        ({"end": datetime(9999, 12, 31, tzinfo=UTC)}, "range-not-valid"),
        ({"step": "minute", "start": TODAY - 4 * DAY}, "too-many-points"),
        ({"metric": "people.active", "cumulative": "true"}, "nothing-to-add-up"),
        ({"metric": "risk.scored", "cumulative": "true"}, "nothing-to-add-up"),
        ({"compare": "yesterday"}, "invalid-request"),
        ({"format": "xlsx"}, "invalid-request"),
        ({"stepp": "day"}, "invalid-request"),
        ({"metric": "a'; drop table windows; --"}, "invalid-request"),
    ],
)
async def test_a_question_without_an_answer_is_refused_by_name(api, practice, asked, problem):
    refused = await ask(api, practice.bearer(), asked.pop("metric", BOOKED), status=422, **asked)

    assert refused["type"] == f"urn:bloom:problem:{problem}"
    assert refused["errors"][0]["location"][0] == "query"


async def test_times_without_a_zone_are_refused(api, practice):
    params = {"metric": BOOKED, "step": "day", "from": "2030-01-07T00:00:00"}
    assert (await api.get("/api/analytics/series", params=params, headers=practice.bearer())).status_code == 422


async def test_the_limit_of_points_holds_over_all_series_of_an_answer(api, practice):
    for number in range(6):
        await practice.add(BOOKED, TODAY, 1, group={"therapist_id": f"t-{number}"})
    thousand = {"start": TODAY - 999 * DAY, "end": TODAY + DAY}

    assert len((await ask(api, practice.bearer(), **thousand, compare="previous"))["series"][0]["points"]) == 1000
    refused = await ask(api, practice.bearer(), **thousand, group="therapist_id", status=422)
    assert refused["detail"] == "6 series have 6000 points, at most 5000 are answered."


async def test_the_operator_sees_all_organisations_together_and_nobody_else_does(api, practice, operator, platform_totals):
    await platform_totals.add(BOOKED, TODAY, 70)
    await operator.add(BOOKED, TODAY, 2)

    assert counts(await ask(api, operator.bearer(), scope="platform")) == [0, 0, 70]
    assert counts(await ask(api, operator.bearer())) == [0, 0, 2]
    await ask(api, practice.bearer(), scope="platform", status=403)
    await ask(api, operator.bearer("THERAPIST", subject=uuid4()), scope="platform", status=403)
    await ask(api, operator.bearer(), scope="platform", group="therapist_id", status=422)


async def test_without_an_operator_nobody_sees_the_platform(connected, make_app, operator):
    async with connected(make_app(operator_tenant=None)) as api:
        await ask(api, operator.bearer(), scope="platform", status=403)


async def test_days_follow_the_calendar_of_the_organisation(connected, make_app, practice, clock):
    clock.moment = datetime(2030, 4, 2, tzinfo=UTC)
    midnight = datetime(2030, 3, 30, 23, tzinfo=UTC)
    async with connected(make_app(tenant_time_zones={practice.tenant_id: "Europe/Berlin"})) as api:
        answer = await ask(api, practice.bearer(), start=midnight, end=midnight + DAY)

    assert answer["timeZone"] == "Europe/Berlin"
    starts = [point["start"] for point in answer["series"][0]["points"]]
    assert starts == ["2030-03-30T23:00:00Z", "2030-03-31T22:00:00Z"], "the day on which clocks change has 23 hours"
