"""Revisions as ETags."""

import pytest

from service_kit.errors import PreconditionFailed, PreconditionRequired
from service_kit.etags import etag, revision_seen
from service_kit.revisions import check_revision


def test_an_etag_brings_its_revision_back():
    assert revision_seen(etag(12)) == 12


def test_a_change_without_if_match_is_told_to_send_it():
    with pytest.raises(PreconditionRequired):
        revision_seen(None)


@pytest.mark.parametrize("value", ["*", "3", 'W/"3"', '"0"', '"-1"', '"3", "4"', '"x"', "", '"99999999999"', '"٣"'])
def test_what_is_no_etag_of_ours_matches_nothing(value):
    with pytest.raises(PreconditionFailed):
        revision_seen(value)


def test_only_the_current_revision_may_be_changed():
    check_revision(current=3, seen=3)
    with pytest.raises(PreconditionFailed):
        check_revision(current=4, seen=3)
