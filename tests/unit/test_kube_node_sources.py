"""What the pillar names by the file it lies in is read before anything is checked."""

from __future__ import annotations

from typing import Any

import pytest
from kube_node_sources import with_contents

from unit.nodes import CA, compiled, faults, pillar


def read(place: str) -> str:
    return {"salt://kubernetes/ca.crt": CA, "/etc/ssl/ca.pem": CA, "/etc/ssl/wrong.pem": "wrong"}[place]


@pytest.mark.parametrize("place", ["salt://kubernetes/ca.crt", "/etc/ssl/ca.pem"])
def test_the_authority_may_lie_in_a_file(place: str):
    tree = with_contents(pillar({"cluster": {"ca": place}}), read)
    assert tree == pillar()


def test_a_certificate_may_lie_in_a_file():
    tree = {"certificates": {"kube_proxy": {"from": "pillar", "certificate": "salt://kubernetes/ca.crt"}}}
    found = with_contents(tree, read)["certificates"]["kube_proxy"]
    assert found == {"from": "pillar", "certificate": CA}


def test_what_is_no_certificate_there_is_told_by_its_key():
    tree = with_contents(pillar({"cluster": {"ca": "/etc/ssl/wrong.pem"}}), read)
    assert faults(tree) == [
        "cluster.ca: is not a PEM certificate, paste the CA file whole after 'ca: |'",
    ]


def test_the_pillar_itself_is_left_as_it_is():
    tree = pillar({"cluster": {"ca": "/etc/ssl/ca.pem"}})
    with_contents(tree, read)
    assert tree["cluster"]["ca"] == "/etc/ssl/ca.pem"


NO_FILES = [None, 5, "text", [], {}, {"cluster": 5}, {"cluster": {"ca": {"x": 1}}}, pillar()]


@pytest.mark.parametrize("tree", NO_FILES)
def test_whatever_names_no_file_stays(tree: Any):
    assert with_contents(tree, read) == tree


def test_a_node_compiles_by_it():
    assert with_contents(pillar({"cluster": {"ca": "/etc/ssl/ca.pem"}}), read) == pillar()
    assert compiled()["cluster"]["ca"] == CA
