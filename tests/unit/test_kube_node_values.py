"""The types of Kubernetes' own settings: what each takes, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import kube_node_values as values
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_every_type_of_the_facts_is_checked(facts: dict[str, Any]):
    lines = [
        line
        for component in ("kubelet", "kube_proxy")
        for section in ("fields", "flags")
        for entry in facts[component][section].values()
        for line in (entry if isinstance(entry, list) else [entry])
    ]
    assert {line["type"] for line in lines if "type" in line} == set(values.CHECKS)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bool", True),
        ("int", -1),
        ("float", 0.5),
        ("float", 5),
        ("string", ""),
        ("duration", "1m30s"),
        ("duration", "0"),
        ("duration", "1.5h"),
        ("quantity", "10Mi"),
        ("quantity", "0.5"),
        ("path", ""),
        ("path", "/etc/x"),
        ("url", "unix:///run/x.sock"),
        ("ip", "10.0.0.1"),
        ("ip_port", "0.0.0.0:10256"),
        ("ip_port", "[::]:10256"),
        ("ip_port", "0.0.0.0"),
        ("cidr", "10.0.0.0/16"),
        ("ips", "10.0.0.1,2001:db8::1"),
        ("cidrs", "10.0.0.0/16,2001:db8::/32"),
        ("list", ["a", "b"]),
        ("ip_list", ["10.0.0.1"]),
        ("cidr_list", ["10.0.0.0/16"]),
        ("int_list", [29, 23]),
        ("map", {"cpu": "200m", "pid": ""}),
        ("bool_map", {"SeccompDefault": True}),
        ("bool_map_text", {"SeccompDefault": True}),
        ("threshold_map", {"memory.available": "200Mi", "nodefs.available": "10%"}),
        ("header_map", {"Accept": ["a", "b"]}),
        ("taint_list", [{"key": "gpu", "effect": "NoSchedule"}]),
        ("memory_list", [{"numaNode": 0, "limits": {}}]),
        ("vmodule_list", [{"filePattern": "a", "verbosity": 2}]),
        ("object_list", [{}]),
        ("object", {}),
    ],
)
def test_what_is_right_passes(kind: str, value: Any):
    assert values.fault(kind, (), value) is None


WHOLE = "is not a whole number, write one without quotes"
DURATION = "is not a duration, write one such as 30s, 1m30s or 24h"
QUANTITY = "is not a quantity, write one such as 200m, 500Mi or '2', in quotes"
PORT = "is not an address with a port, write one such as 0.0.0.0:10256"


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("bool", "true", "'true' is not a boolean, write true or false"),
        ("int", "110", f"'110' {WHOLE}"),
        ("int", True, f"True {WHOLE}"),
        ("int", 2**63, f"9223372036854775808 {WHOLE}"),
        ("float", float("nan"), "nan is not a number, write one without quotes"),
        ("float", float("inf"), "inf is not a number, write one without quotes"),
        ("string", 5, "5 is not text, write it in quotes"),
        ("string", "a\nb", "'a\\nb' is not a line of text, write one without control characters"),
        ("duration", "30", f"'30' {DURATION}"),
        ("duration", 30, f"30 {DURATION}"),
        ("duration", "\u0663s", f"'\\u0663s' {DURATION}"),
        ("quantity", 2, f"2 {QUANTITY}"),
        ("quantity", "10 Mi", f"'10 Mi' {QUANTITY}"),
        ("path", "x", "'x' is not an absolute path, write one without '..', white space, quotes, '%' or '$'"),
        ("ip", "host", "'host' is not an IP address, write one such as 192.168.1.42"),
        ("ip_port", "host:1", f"'host:1' {PORT}"),
        ("ip_port", "0.0.0.0:65536", f"'0.0.0.0:65536' {PORT}"),
        ("ip_port", f"0.0.0.0:{'1' * 5000}", f"'0.0.0.0:{'1' * 68}... {PORT}"),
        ("ips", "10.0.0.1,x", "'x' is not an IP address, write one such as 192.168.1.42"),
        ("cidrs", "", "'' is not a network in CIDR form, write one such as 10.68.0.0/16"),
        ("list", ["a", 5], "5 is not text, write it in quotes"),
        ("int_list", ["a"], f"'a' {WHOLE}"),
        ("map", {"pid": 1000}, "1000 is not text, write it in quotes"),
        ("bool_map", {"SeccompDefault": "on"}, "'on' is not a boolean, write true or false"),
        (
            "threshold_map",
            {"memory.available": 200},
            "200 is not a threshold, write a quantity such as 200Mi or a percentage such as 10%, in quotes",
        ),
        ("header_map", {"Accept": "a"}, "'a' is not a list, write one item a line after '- '"),
        ("memory_list", ["a"], "'a' is not a mapping, write 'key: value' lines"),
        ("object", "a", "'a' is not a mapping, write 'key: value' lines"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(kind: str, value: Any, message: str):
    assert values.fault(kind, (), value) == message


def test_a_value_beside_the_known_ones_is_told_with_them():
    message = "'Always' is not known, choose one of Get, Watch"
    assert values.fault("string", ("Get", "Watch"), "Always") == message


def test_an_item_beside_the_known_ones_is_told_with_them():
    assert (
        values.fault("list", ("none", "pods"), ["pods", "all"])
        == "'all' is not known, choose one of none, pods"
    )


@settings(max_examples=1000)
@given(kind=st.sampled_from(sorted(values.CHECKS)), value=json)
def test_no_value_gets_more_than_one_line_in_return(kind: str, value: Any):
    message = values.fault(kind, ("a", "b"), value)
    assert message is None or (len(message.splitlines()) == 1 and ", " in message)


@pytest.mark.parametrize("value", ["", "a b", True, 0, -1, 0.5])
def test_an_argument_is_a_line_a_number_or_a_boolean(value: Any):
    assert values.argument("string", value) is None


@pytest.mark.parametrize("value", [None, [], {}, "a\nb", b"a", 2**64])
def test_anything_else_is_no_argument(value: Any):
    message = "is not a flag's value, write one line of text, a number or a boolean"
    assert values.argument("string", value).endswith(message)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bool", True),
        ("bool", "false"),
        ("int", 2),
        ("int", "-1"),
        ("float", 0.5),
        ("duration", "1m30s"),
        ("path", "/etc/x"),
        ("ips", "10.0.0.1,2001:db8::1"),
        ("cidr", "10.0.0.0/8"),
        ("list", "a,b"),
    ],
)
def test_an_argument_of_its_flags_type_is_taken(kind: str, value: Any):
    assert values.argument(kind, value) is None


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("bool", "yes", "'yes' is not a boolean, write true or false"),
        ("int", "two", "'two' is not a whole number, write one such as 2"),
        ("int", 0.5, "0.5 is not a whole number, write one such as 2"),
        ("float", "half", "'half' is not a number, write one such as 0.5"),
        ("duration", "5", "'5' is not a duration, write one such as 30s, 1m30s or 24h"),
        (
            "path",
            "etc/x",
            "'etc/x' is not an absolute path, write one without '..', white space, quotes, '%' or '$'",
        ),
        ("ip", "here", "'here' is not an IP address, write one such as 192.168.1.42"),
        ("cidr", "10.0.0.1/8", "'10.0.0.1/8' is not a network in CIDR form, write one such as 10.68.0.0/16"),
    ],
)
def test_an_argument_of_another_type_is_told(kind: str, value: Any, message: str):
    assert values.argument(kind, value) == message


@pytest.mark.parametrize(
    ("kind", "path", "value", "message"),
    [
        (
            "map",
            "kubeReserved",
            {"cpu": "much"},
            "'much' is not a quantity, write one such as 200m, 500Mi or '2', in quotes",
        ),
        (
            "map",
            "evictionSoftGracePeriod",
            {"memory.available": "90"},
            "'90' is not a duration, write one such as 30s, 1m30s or 24h",
        ),
        ("int", "port", 0, "0 is not a whole number from 1 to 65535, write one without quotes"),
        ("int", "maxPods", -1, "-1 is not a whole number from 0 to 2147483647, write one without quotes"),
        (
            "int",
            "oomScoreAdj",
            1001,
            "1001 is not a whole number from -1000 to 1000, write one without quotes",
        ),
    ],
)
def test_some_fields_are_held_to_more_than_their_type(kind: str, path: str, value: Any, message: str):
    assert values.fault(kind, (), value, path) == message
