"""An operator's command ends with a sentence, but with a traceback at a mistake of ours."""

from __future__ import annotations

import kube_node_sentence
import pytest


class ShownError(Exception):
    """What is shown as it is."""


@kube_node_sentence.told_as(ShownError, LookupError)
def command(error: Exception | None) -> str:
    """Do as told."""
    if error:
        raise error
    return "done"


def test_what_goes_well_is_left_alone():
    assert (command(None), command.__name__, command.__doc__) == ("done", "command", "Do as told.")


def test_what_is_expected_is_told_in_its_own_words():
    with pytest.raises(ShownError, match="nobody knows it"):
        command(LookupError("nobody knows it"))


def test_what_is_not_expected_stays_what_it_is():
    with pytest.raises(ZeroDivisionError):
        command(ZeroDivisionError())
