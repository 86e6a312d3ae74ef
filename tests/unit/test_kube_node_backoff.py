"""When to knock: at once for what is new, ever more seldom then, and no more once all is well."""

from __future__ import annotations

from itertools import pairwise

import kube_node_backoff as backoff
import kube_node_certificates as certificates
import pytest

GOOD, RENEWING, MISSING, EXPIRED = (
    certificates.GOOD,
    certificates.RENEWING,
    certificates.MISSING,
    certificates.EXPIRED,
)
HOUR = 3600


class Looks:
    """Looks at one kubelet, one after the other, with one memory."""

    def __init__(self, jitter: float = 1.0) -> None:
        self.memory: dict = {}
        self.jitter = jitter

    def __call__(self, now: float, client: str, serving: str = GOOD, start: str | None = "first"):
        states = {"client": client, "serving": serving}
        return backoff.due(self.memory, start, states, now, lambda: self.jitter)

    def knocks(self, until: int, client: str, serving: str = GOOD) -> list[int]:
        """Return in which seconds there is a knock, with a look in each."""
        return [now for now in range(until) if self(now, client, serving)]


@pytest.fixture
def look() -> Looks:
    return Looks()


def test_a_node_with_all_its_certificates_is_silent(look):
    assert look.knocks(10 * HOUR, GOOD) == []


def test_a_kubelet_that_does_not_run_is_silent(look):
    assert [look(now, MISSING, start=None) for now in range(100)] == [None] * 100


def test_a_kubelet_that_starts_without_a_certificate_knocks_at_once(look):
    look(0, MISSING, start=None)
    assert look(1, MISSING) == "news"


def test_each_start_knocks_at_once(look):
    look(0, MISSING)
    assert [look(1, MISSING), look(2, MISSING, start="second")] == [None, "news"]


def test_a_minion_that_starts_beside_a_waiting_kubelet_knocks_at_once(look):
    assert look(0, MISSING) == "news"


def test_knocks_come_ever_more_seldom_up_to_one_a_minute(look):
    assert look.knocks(300, MISSING) == [0, 5, 15, 35, 75, 135, 195, 255]


def test_pauses_differ_by_a_quarter():
    knocks = [Looks(jitter).knocks(20, MISSING)[1] for jitter in (0.0, 1.0)]
    assert knocks == [4, 5]


def test_a_renewal_is_knocked_for_once_an_hour_at_most():
    for jitter in (0.0, 1.0):
        knocks = Looks(jitter).knocks(30 * HOUR, RENEWING)
        assert knocks[0] == 0
        assert all(later - earlier >= HOUR for earlier, later in pairwise(knocks))
        assert len(knocks) > 20


@pytest.mark.parametrize(
    ("before", "after"), [(GOOD, RENEWING), (GOOD, EXPIRED), (RENEWING, EXPIRED), (GOOD, MISSING)]
)
def test_a_certificate_that_becomes_worse_knocks_at_once(look, before, after):
    look(0, before)
    assert [look(1, before), look(2, after)] == [None, "news"]


def test_the_knocks_end_when_all_is_well(look):
    look(0, MISSING, MISSING)
    assert [look(now, GOOD, GOOD) for now in range(1, 1000)] == [None] * 999


def test_the_second_certificate_is_knocked_for_soon_after_the_first(look):
    [*_, last] = look.knocks(200, MISSING, MISSING)
    knocks = [now for now in range(200, 300) if look(now, GOOD, MISSING)]
    assert (last, knocks[:2]) == (195, [205, 215])


def test_an_expired_certificate_is_not_left_at_the_renewals_pace(look):
    look.knocks(100, RENEWING)
    look(100, EXPIRED)
    assert look(105, EXPIRED) == "again"


def test_what_is_left_to_renew_goes_on_at_the_renewals_pace(look):
    look.knocks(200, RENEWING, MISSING)
    assert [now for now in range(200, HOUR) if look(now, RENEWING)] == [255]


def test_it_knows_the_states_of_certificates():
    assert set(backoff.RANKS) == {certificates.GOOD, certificates.RENEWING}
