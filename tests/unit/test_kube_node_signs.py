"""Each known sign by a line as kubelet, runtime or API server write it: that cause is told, and no other."""

from __future__ import annotations

from pathlib import Path

import kube_node_signs as signs
import pytest
import yaml

LINES = yaml.safe_load(Path(__file__).with_name("kubelet_signs.yaml").read_text())
NO_SIGN = 'E1127 13:07:45.202825    1402 kubelet_node_status.go:597] "Error updating node status, will retry"'


def test_every_sign_has_its_line():
    assert list(LINES) == [sign.name for sign in signs.SIGNS]


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in LINES.items() for line in lines])
def test_line_is_recognised(name: str, line: str):
    assert [sign.name for sign in signs.recognise([line])] == [name]


def test_what_is_to_be_mended_first_comes_first():
    lines = [LINES["network_missing"][0], LINES["api_away"][0], LINES["swap_on"][0], LINES["api_away"][1]]
    assert [sign.name for sign in signs.recognise(lines)] == ["swap_on", "api_away", "network_missing"]


def test_what_is_no_sign_is_none():
    assert signs.recognise([NO_SIGN]) == []
