"""What a double claims to be: a component of a Kubernetes release, with the facts of its minor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import kube_node_milestones as milestones
import kube_node_versions as versions
from kube_node_versions import Facts, Field, Flag


@dataclass(frozen=True)
class Claim:
    """A component ("kubelet" or "kube_proxy") of a release such as ``1.36.2``."""

    component: str
    version: str
    facts: Facts

    @cached_property
    def minor(self) -> str:
        return versions.minor(self.version)

    @cached_property
    def flags(self) -> dict[str, Flag]:
        return versions.flags(self.facts, self.component, self.minor)

    @cached_property
    def fields(self) -> dict[str, Field]:
        return versions.fields(self.facts, self.component, self.minor)

    @cached_property
    def api_version(self) -> str | None:
        """The apiVersion of its configuration file, None when the minor has no such file."""
        return versions.api_version(self.facts, self.component, self.minor)

    def since(self, minor: str) -> bool:
        """Whether this is a release of ``minor`` or later."""
        return versions.parse(self.version) >= versions.parse(minor)

    def holds(self, milestone: str) -> bool:
        """Whether one of milestones.yaml's spans covers this minor."""
        return milestones.holds(self.facts, milestone, self.minor)
