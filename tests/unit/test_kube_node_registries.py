"""Registries and mirrors: what the pillar may say, and the hosts.toml that containerd reads."""

from __future__ import annotations

from typing import Any

import kube_node_files
import pytest

from unit.nodes import CA, compiled, faults, pillar
from unit.test_kube_node_files import templates

FOLDER = "/etc/containerd/certs.d"
MIRROR = {"url": "https://mirror.example.org:5000/hub"}
PASSWORD = "swordfish"
LOGIN = {"username": "puller", "password": PASSWORD}


def of(**containerd: Any) -> dict[str, Any]:
    return {"runtime": {"containerd": containerd}}


def files(**containerd: Any) -> dict[str, str]:
    """Return the files below certs.d by what follows it."""
    rendered = kube_node_files.render(compiled(of(**containerd)), templates())
    return {path[len(FOLDER) + 1 :]: text for path, text in rendered.items() if path.startswith(FOLDER)}


def hosts(name: str, said: dict[str, Any]) -> list[str]:
    """Return the lines of a registry's hosts.toml, without the first, which says whose it is."""
    lines = files(registries={name: said})[f"{name}/hosts.toml"].splitlines()
    return [line for line in lines[1:] if line]


def test_without_registries_there_is_no_file():
    assert files() == {}


def test_a_mirror_is_asked_before_the_registry_itself():
    assert hosts("registry.example.org", {"mirrors": [MIRROR]}) == [
        'server = "https://registry.example.org"',
        '[host."https://mirror.example.org:5000/hub"]',
    ]


def test_mirrors_keep_their_order():
    second = {"url": "http://10.0.0.5"}
    lines = hosts("docker.io", {"mirrors": [MIRROR, second]})
    assert [line for line in lines if line.startswith("[")] == [
        '[host."https://mirror.example.org:5000/hub"]',
        '[host."http://10.0.0.5"]',
    ]


def test_a_mirror_says_how_it_is_asked():
    said = {"capabilities": ["pull", "resolve"], "skip_verify": True, "override_path": True}
    assert hosts("docker.io", {"mirrors": [MIRROR | said]})[2:] == [
        'capabilities = ["pull", "resolve"]',
        "skip_verify = true",
        "override_path = true",
    ]


@pytest.mark.parametrize(
    ("name", "said", "server"),
    [
        ("docker.io", {}, "https://registry-1.docker.io"),
        ("registry.example.org:5000", {}, "https://registry.example.org:5000"),
        ("registry.example.org", {"server": "http://10.0.0.5:5000"}, "http://10.0.0.5:5000"),
    ],
)
def test_a_registry_is_asked_at_its_host(name: str, said: dict[str, Any], server: str):
    assert hosts(name, said) == [f'server = "{server}"']


def test_what_holds_for_all_registries_names_no_server():
    assert hosts("_default", {"mirrors": [MIRROR]}) == ['[host."https://mirror.example.org:5000/hub"]']


def test_an_authority_is_a_file_beside():
    found = files(registries={"registry.example.org": {"ca": CA, "mirrors": [MIRROR, {"url": "https://b"}]}})
    assert found["registry.example.org/ca-0.crt"].strip() == CA.strip()
    assert sorted(found) == ["registry.example.org/ca-0.crt", "registry.example.org/hosts.toml"]
    line = 'ca = "/etc/containerd/certs.d/registry.example.org/ca-0.crt"'
    assert line in found["registry.example.org/hosts.toml"]


def test_each_mirror_has_an_authority_of_its_own():
    mirrors = [MIRROR | {"ca": CA}, {"url": "https://b.example.org", "ca": CA}]
    assert sorted(files(registries={"docker.io": {"mirrors": mirrors}})) == [
        "docker.io/ca-1.crt",
        "docker.io/ca-2.crt",
        "docker.io/hosts.toml",
    ]


@pytest.mark.parametrize("release", ["1.6.20", "2.1.9", "2.3.3"])
def test_credentials_are_in_the_configuration_which_is_then_roots_alone(release: str):
    node = compiled(of(version=release, credentials={"registry.example.org:5000": LOGIN}))
    [file] = node["files"]["containerd"]
    assert (file["mode"], file["secret"]) == ("0600", True)
    config = kube_node_files.render(node, templates(), [file])[file["path"]]
    assert '.registry.configs."registry.example.org:5000".auth]' in config
    assert f'password = "{PASSWORD}"' in config


def test_without_credentials_the_configuration_is_no_secret():
    [file] = compiled()["files"]["containerd"]
    assert (file["mode"], file["secret"]) == ("0644", False)


@pytest.mark.parametrize(
    ("containerd", "message"),
    [
        ({"registries": ["docker.io"]}, "registries: ['docker.io'] is not a mapping, "),
        (
            {"registries": {"https://x.org": {}}},
            "registries: 'https://x.org': 'https://x.org' is not a registry",
        ),
        ({"registries": {"docker.io": {"mirror": []}}}, "registries: docker.io: mirror is not a known key, "),
        (
            {"registries": {"docker.io": {"mirrors": [{}]}}},
            "registries: docker.io: mirrors: a mirror has no url, ",
        ),
        (
            {"registries": {"docker.io": {"mirrors": [{"url": "mirror.example.org"}]}}},
            "registries: docker.io: mirrors: url: 'mirror.example.org' is not a registry's URL, ",
        ),
        (
            {"registries": {"docker.io": {"mirrors": [MIRROR, MIRROR]}}},
            "registries: docker.io: mirrors: names a mirror twice, keep one of them",
        ),
        (
            {"registries": {"docker.io": {"mirrors": [MIRROR | {"capabilities": ["push", "run"]}]}}},
            "registries: docker.io: mirrors: capabilities: 'run' is not known, choose one of pull, resolve, ",
        ),
        (
            {"registries": {"docker.io": {"skip_verify": "yes"}}},
            "registries: docker.io: skip_verify: 'yes' is not a boolean, ",
        ),
        ({"registries": {"docker.io": {"ca": "/etc/ca.crt"}}}, "registries: docker.io: ca: is not a PEM"),
        (
            {"registries": {"docker.io": {}}, "version": "1.4.13"},
            "registries: containerd 1.4.13 has no folder for them yet, choose 1.5 or later",
        ),
        (
            {"credentials": {"docker.io": LOGIN}},
            "credentials: docker.io: is asked at registry-1.docker.io, write that",
        ),
        (
            {"credentials": {"registry.example.org": {"username": "puller"}}},
            "credentials: registry.example.org: has not what it takes, write {username: …, password: …}",
        ),
        (
            {"credentials": {"registry.example.org": LOGIN | {"password": 123456}}},
            "credentials: registry.example.org: has a username or password that is not a line of text, ",
        ),
    ],
)
def test_what_containerd_could_not_use_is_refused(containerd: dict[str, Any], message: str):
    version = {"version": "1.20.0"} if containerd.get("version") else {}
    [fault] = faults(pillar(of(**containerd) | version))
    assert fault.startswith(f"runtime.containerd.{message}")


@pytest.mark.parametrize("login", [PASSWORD, [PASSWORD], LOGIN | {"host": "x"}, LOGIN | {"username": 1}])
def test_a_fault_shows_no_password(login: Any):
    [fault] = faults(pillar(of(credentials={"registry.example.org": login})))
    assert PASSWORD not in fault
