"""A fresh API server double for every test that asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from lab import apiserver, pki

from unit.lab.apiserver_cluster import Cluster
from unit.lab.doubles import Machine


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[pki.Pair, pki.Pair]:
    """An authority and a serving certificate for 127.0.0.1, made once."""
    directory = tmp_path_factory.mktemp("pki")
    ca = pki.authority(directory)
    return ca, pki.server(ca, directory, "apiserver", ["127.0.0.1"])


@pytest.fixture
def start_apiserver(
    certificates: tuple[pki.Pair, pki.Pair],
) -> Callable[..., AbstractContextManager[apiserver.Running]]:
    """Start a double with settings of the test's choice: `with start_apiserver(version="1.18.20")`."""
    ca, serving = certificates

    def start(**settings: Any) -> AbstractContextManager[apiserver.Running]:
        trusted = {"client_ca_file": ca.certificate, "cluster_signing_cert_file": ca.certificate}
        keys = {"tls_private_key_file": serving.key, "cluster_signing_key_file": ca.key}
        return apiserver.start(tls_cert_file=serving.certificate, **trusted, **keys, **settings)

    return start


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest,
    start_apiserver: Callable[..., AbstractContextManager[apiserver.Running]],
    certificates: tuple[pki.Pair, pki.Pair],
    tmp_path: Path,
) -> Iterator[Cluster]:
    """A fresh double; settings come by `@pytest.mark.parametrize("cluster", [{...}], indirect=True)`."""
    with start_apiserver(**getattr(request, "param", {})) as running:
        yield Cluster(running.url, certificates[0], tmp_path)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine for the kubelet and kube-proxy doubles, with a runtime that answers."""
    found = Machine(tmp_path)
    with found.runtime():
        yield found
        found.stop()
