"""
A node's certificates where the kubelet does not get them by itself.
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_certificate"


def present(name):
    """
    Keep a static certificate as the pillar wants it: put there by the operator, delivered by the pillar, or
    signed by the master and renewed when few days are left.

    name
        ``kubelet`` or ``kube_proxy``.

    While a certificate can still be used, a master that does not sign the next one is a warning.

    .. code-block:: yaml

        kubelet-certificate:
          kube_node_certificate.present:
            - name: kubelet
    """
    fault = __salt__["kube_node_certificate.fault"](name)
    if fault is None:
        return _result(name, True, f"The certificate of {name} is as it should be")
    if __opts__["test"]:
        return _result(name, None, f"{fault}: it would be replaced", {name: fault})
    try:
        return _result(
            name, True, f"{fault}: it has been replaced", __salt__["kube_node_certificate.put"](name)
        )
    except CommandExecutionError as error:
        if __salt__["kube_node_certificate.is_usable"](name):
            return _result(name, True, f"{fault}, and is still in use") | {"warnings": [str(error)]}
        return _result(name, False, f"{fault}. {error}")


def carried_over(name):
    """
    Carry the kubelet's certificate over a change of mode or CA, so that its node does not leave Ready.

    name
        Any name.

    A node that comes from mode static goes on with that certificate and renews it by itself; certificates of
    a CA that the pillar no longer has are set aside, and the kubelet asks for new ones by its token.
    """
    if __opts__["test"]:
        changes = dict.fromkeys(__salt__["kube_node_certificate.leaving"](), "would be set aside")
        if __salt__["kube_node_certificate.adoptable"]():
            changes[name] = "would go on with the certificate of mode static"
        return _result(name, None if changes else True, "Nothing is touched", changes)
    changes = __salt__["kube_node_certificate.carry_over"]()
    return _result(name, True, "It has been carried over" if changes else "There is nothing to do", changes)


def _result(name, result, comment, changes=None):
    return {"name": name, "result": result, "comment": comment, "changes": changes or {}}
