"""Problems as plain exceptions."""

import pytest

from service_kit.errors import Problem, ServiceUnavailable, TooManyRequests, Unauthorized


def test_a_problem_without_a_detail_says_its_title():
    assert str(Unauthorized()) == "Authentication is required"


def test_a_refused_caller_is_told_how_to_authenticate_and_nothing_else():
    problem = Unauthorized()
    assert problem.headers == {"WWW-Authenticate": "Bearer"}
    assert problem.detail == ""


@pytest.mark.parametrize("kind", [TooManyRequests, ServiceUnavailable])
def test_a_problem_that_passes_says_when_to_come_back(kind):
    assert kind(retry_after_seconds=7).headers["Retry-After"] == "7"
    assert kind(retry_after_seconds=0).headers["Retry-After"] == "1"


@pytest.mark.parametrize("slug", ["SlotTaken", "slot_taken", "slot--taken", "", "-slot"])
def test_a_slug_that_is_not_lower_case_words_with_hyphens_is_refused(slug):
    with pytest.raises(TypeError, match="slug"):
        type("Wrong", (Problem,), {"slug": slug})


def test_a_problem_must_have_an_error_status():
    with pytest.raises(TypeError, match="status"):
        type("Wrong", (Problem,), {"slug": "wrong", "status": 200})
