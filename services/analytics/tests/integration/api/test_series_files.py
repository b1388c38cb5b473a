"""Series to take along: CSV that spreadsheets read as data, Parquet with its types."""

import csv
import io
from datetime import UTC, datetime, timedelta

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet

TODAY = datetime(2030, 1, 9, tzinfo=UTC)
BOOKED = "appointments.booked"


async def download(api, headers: dict[str, str], metric: str = BOOKED, **asked: str) -> httpx.Response:
    start, end = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
    params = {"metric": metric, "step": "day", "from": start.isoformat(), "to": end.isoformat(), **asked}
    response = await api.get("/api/analytics/series", params=params, headers=headers)
    assert response.status_code == 200, response.text
    return response


def read_csv(response: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


async def test_a_csv_has_a_header_and_a_line_for_each_window(api, practice):
    await practice.add(BOOKED, TODAY, 3)
    await practice.tell()

    response = await download(api, practice.bearer(), format="csv")

    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert response.headers["content-disposition"] == 'attachment; filename="appointments.booked.day.csv"'
    assert response.text.count("\r\n") == 3
    assert response.text.replace("\r\n", "").isprintable()
    assert [(row["window_start"], row["count"], row["is_final"]) for row in read_csv(response)] == [
        ("2030-01-08T00:00:00Z", "0", "false"),
        ("2030-01-09T00:00:00Z", "3", "false"),
    ]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv", "text/csv"),
        ("application/vnd.apache.parquet, */*;q=0.1", "application/vnd.apache.parquet"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("*/*", "application/json"),
    ],
)
async def test_the_accept_header_chooses_the_format(api, practice, accept, media_type):
    response = await download(api, {**practice.bearer(), "Accept": accept})
    assert response.headers["content-type"].startswith(media_type)


@pytest.mark.parametrize("value", ["=1+1", "+49", "-2", "@SUM(A1)", "\tx", '=HYPERLINK("x","y"),"z"'])
async def test_no_cell_of_a_csv_is_a_formula(api, practice, value):
    await practice.add("alerts.raised", TODAY, 1, group={"level": value})

    rows = read_csv(await download(api, practice.bearer(), "alerts.raised", group="level", format="csv"))

    assert {row["level"] for row in rows} == {f"'{value}"}


async def test_a_negative_sum_stays_a_number(api, practice):
    await practice.add("alerts.open", TODAY, 2, -2)
    assert read_csv(await download(api, practice.bearer(), "alerts.open", format="csv"))[1]["total"] == "-2"


async def test_what_is_not_told_is_empty_and_the_period_before_is_marked(api, practice):
    await practice.add("risk.scored", TODAY, 2)

    rows = read_csv(await download(api, practice.bearer(), "risk.scored", format="csv", compare="previous"))

    assert {row["count"] for row in rows} == {""}
    assert {row["is_suppressed"] for row in rows} == {"true"}
    assert [row["period"] for row in rows] == ["current", "current", "previous", "previous"]


async def test_a_parquet_file_has_the_same_rows_with_types(api, practice):
    await practice.add("appointments.lead-time", TODAY, values=[60.0, 120.0], group={"therapist_id": str(practice.therapist)})

    response = await download(api, practice.bearer(), "appointments.lead-time", group="therapist_id", format="parquet")
    table = parquet.read_table(io.BytesIO(response.content))

    assert response.headers["content-type"] == "application/vnd.apache.parquet"
    assert table.schema.field("window_start").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("count").type == pa.int64()
    assert table.schema.field("is_final").type == pa.bool_()
    last = table.to_pylist()[-1]
    assert (last["count"], last["therapist_id"], last["window_start"]) == (2, str(practice.therapist), TODAY)
    assert last["p50"] == pytest.approx(60, rel=0.01)
    assert last["total"] is None


async def test_a_therapists_file_holds_their_own_series_alone(api, practice):
    for therapist in (practice.therapist, practice.colleague):
        await practice.add(BOOKED, TODAY, 1, group={"therapist_id": str(therapist)})

    rows = read_csv(await download(api, practice.bearer("THERAPIST", subject=practice.therapist), format="csv"))

    assert {row["therapist_id"] for row in rows} == {str(practice.therapist)}
