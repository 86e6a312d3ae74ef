"""What the demo prints and how it names a broken step."""

from __future__ import annotations

import re

import pytest
from lab.console import Console, StepFailed, step


def test_each_line_carries_its_time(capsys):
    Console().say("worker-1: Ready")
    assert re.fullmatch(r" +\d+\.\d s  worker-1: Ready\n", capsys.readouterr().out)


def test_text_is_set_off_by_blank_lines(capsys):
    Console().show("NAME  STATUS\n")
    assert capsys.readouterr().out == "\nNAME  STATUS\n\n"


def test_a_broken_step_is_named():
    with pytest.raises(StepFailed) as raised, step("highstate"):
        raise RuntimeError("worker-2: did not answer")
    assert str(raised.value) == "the step 'highstate' failed: worker-2: did not answer"


def test_an_interrupt_is_no_failure_of_a_step():
    with pytest.raises(KeyboardInterrupt), step("highstate"):
        raise KeyboardInterrupt
