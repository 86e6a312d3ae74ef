"""What a stranger wrote is shown in one short, harmless line; times are in UTC or none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubelet_csr_case import is_sha256, moment, same_digest, show, show_all


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "nothing"),
        (True, "true"),
        (7, "7"),
        (2**64, "a number of 65 bits"),
        (1.5, "1.5"),
        ("a", "'a'"),
        ("a\nb\x1b[31m", r"'a\nb\x1b[31m'"),
        ("\u202e\ud800", r"'\u202e\ud800'"),
        ("x" * 81, "'" + "x" * 80 + "'..."),
        (b"a\xff\0", r"'a\\xff\x00'"),
        (["a"], "a list"),
        ({"a": 1}, "an object"),
        (object(), "a value of no JSON type"),
    ],
)
def test_a_value_is_shown_escaped_and_cut(value: Any, shown: str) -> None:
    assert show(value) == shown


def test_a_number_without_end_is_shown_by_its_size() -> None:
    assert show(10**5000) == "a number of 16610 bits"


def test_of_many_values_five_are_shown() -> None:
    assert show_all(["a", 1, None, "d", "e", "f", "g"]) == "'a', 1, nothing, 'd', 'e' and 2 more"


def test_of_no_values_that_is_said() -> None:
    assert show_all([]) == "none"


@given(value=st.text(st.characters()) | st.binary())
def test_a_text_is_shown_in_one_line_of_ascii(value: str | bytes) -> None:
    assert show(value).isascii()
    assert show(value).isprintable()


def test_times_are_read_in_utc() -> None:
    utc = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=timezone.utc)
    assert moment("2026-11-23T12:00:00.5Z") == utc
    assert moment("2026-11-23T12:00:00.500000+00:00") == utc
    assert moment(utc) == utc
    assert moment(utc.replace(tzinfo=None)) == utc


@pytest.mark.parametrize(
    "value",
    [
        None,
        1795435200,
        "2026-11-23",
        "2026-11-23T12:00:00",
        "2026-11-23T12:00:00-00:00",
        "2026-11-23T12:00:00+01:00",
        "2026-02-30T12:00:00Z",
        "2026-11-23T12:00:00Z" * 2,
        datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_other_times_are_none(value: Any) -> None:
    assert moment(value) is None


def test_a_digest_is_compared_whatever_its_case() -> None:
    digest = "ab" * 32
    assert same_digest(digest.upper(), digest)
    assert not same_digest(digest[:-1], digest)
    assert not same_digest(None, digest)
    assert not is_sha256(digest + "\n")
