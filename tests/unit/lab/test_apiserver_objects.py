"""Objects are stored, changed and taken away as the real API server does it."""

from __future__ import annotations

import re

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


def test_a_new_object_gets_uid_version_and_time(cluster):
    metadata = cluster.config_map("a")["metadata"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", metadata["uid"])
    assert int(metadata["resourceVersion"]) > 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])


def test_a_client_cannot_choose_uid_or_version(cluster):
    body = {"metadata": {"name": "a", "uid": "mine", "resourceVersion": "7"}}
    made = cluster.make(MAPS, body)
    assert made["metadata"]["uid"] != "mine"
    assert made["metadata"]["resourceVersion"] != "7"


def test_what_is_stored_comes_back_with_kind_and_version(cluster):
    made = cluster.config_map("a", x="1")
    assert cluster.read(f"{MAPS}/a") == made
    assert (made["kind"], made["apiVersion"], made["data"]) == ("ConfigMap", "v1", {"x": "1"})


def test_the_four_namespaces_are_there_from_the_start(cluster):
    names = [one["metadata"]["name"] for one in cluster.read("/api/v1/namespaces")["items"]]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]


def test_a_name_is_taken_once(cluster):
    cluster.config_map("a")
    answer = cluster.call("POST", MAPS, {"metadata": {"name": "a"}})
    assert answer.status_code == 409
    assert answer.json()["reason"] == "AlreadyExists"
    assert answer.json()["message"] == 'configmaps "a" already exists'


def test_generated_names_end_in_five_safe_characters(cluster):
    names = {cluster.make(MAPS, {"metadata": {"generateName": "csr-"}})["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(re.fullmatch("csr-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)


def test_an_object_without_a_name_is_invalid(cluster):
    answer = cluster.call("POST", MAPS, {"metadata": {}})
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )


def test_an_upper_case_node_name_is_invalid(cluster):
    answer = cluster.call("POST", NODES, {"metadata": {"name": "Node1"}})
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(
        'Node "Node1" is invalid: metadata.name: Invalid value: "Node1": a lowercase RFC 1123 subdomain must '
    )


def test_an_object_of_a_missing_namespace_is_refused(cluster):
    answer = cluster.call("POST", "/api/v1/namespaces/none/configmaps", {"metadata": {"name": "a"}})
    assert (answer.status_code, answer.json()["message"]) == (404, 'namespaces "none" not found')


def test_a_missing_object_is_not_found(cluster):
    answer = cluster.call("GET", f"{NODES}/n1")
    assert answer.status_code == 404
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'nodes "n1" not found',
        "reason": "NotFound",
        "details": {"name": "n1", "kind": "nodes"},
        "code": 404,
    }


@pytest.mark.parametrize(
    "path", ["/apis/no.such.group/v1/things", "/nonsense", "/api/v2/nodes", "/apis/apps/v9/daemonsets"]
)
def test_an_unknown_path_is_not_found(cluster, path):
    answer = cluster.call("GET", path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


@pytest.mark.parametrize("path", ["/api/v1/nonsense", f"{NODES}/n1/nonsense"])
def test_an_unknown_kind_of_a_known_version_is_not_found(cluster, path):
    answer = cluster.call("GET", path)
    assert answer.status_code == 404
    assert answer.json()["message"] == "the server could not find the requested resource"


@pytest.mark.parametrize(("method", "path"), [("PUT", NODES), ("PATCH", NODES), ("POST", f"{NODES}/n1")])
def test_a_method_out_of_place_is_not_allowed(cluster, method, path):
    answer = cluster.call(method, path, {"metadata": {"name": "n1"}})
    assert answer.status_code == 405
    assert answer.json()["message"] == "the server does not allow this method on the requested resource"


def test_another_kind_in_the_body_is_refused(cluster):
    answer = cluster.call("POST", MAPS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}})
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        'Secret in version "v1" cannot be handled as a ConfigMap: unknown conversion'
    )


def test_a_body_that_is_not_json_is_refused(cluster):
    answer = cluster.session().post(
        cluster.url + MAPS, data="{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("couldn't get version/kind; json parse error: ")


def test_a_body_of_another_media_type_is_refused(cluster):
    answer = cluster.session().post(cluster.url + MAPS, data="{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json()["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    )


@pytest.mark.parametrize(
    ("path", "data", "fault"),
    [
        (
            MAPS,
            1,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (SECRETS, "?", "illegal base64 data at input byte 0"),
        (SECRETS, "YWJ", "illegal base64 data at input byte 3"),
    ],
)
def test_data_of_the_wrong_type_is_refused(cluster, path, data, fault):
    answer = cluster.call("POST", path, {"metadata": {"name": "a"}, "data": {"x": data}})
    assert answer.status_code == 400
    assert answer.json()["message"].endswith(f": {fault}")


@pytest.mark.parametrize(
    "metadata", ["text", {"name": 1}, {"name": "a", "labels": ["x"]}, {"labels": {"x": 1}}]
)
def test_metadata_of_the_wrong_type_is_refused(cluster, metadata):
    assert cluster.call("POST", MAPS, {"metadata": metadata}).status_code == 400


def test_a_body_beyond_three_megabytes_is_refused(cluster):
    answer = cluster.call("POST", MAPS, {"metadata": {"name": "a"}, "data": {"x": "y" * 3_200_000}})
    assert answer.status_code == 413
    assert answer.json()["message"] == "Request entity too large: limit is 3145728"


def test_an_update_with_the_version_read_is_stored(cluster):
    made = cluster.config_map("a", x="1")
    answer = cluster.call("PUT", f"{MAPS}/a", {**made, "data": {"x": "2"}})
    assert answer.status_code == 200
    assert cluster.read(f"{MAPS}/a")["data"] == {"x": "2"}
    assert int(answer.json()["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


def test_an_update_with_an_older_version_conflicts(cluster):
    made = cluster.config_map("a", x="1")
    cluster.call("PUT", f"{MAPS}/a", {**made, "data": {"x": "2"}})
    answer = cluster.call("PUT", f"{MAPS}/a", {**made, "data": {"x": "3"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert cluster.read(f"{MAPS}/a")["data"] == {"x": "2"}


def test_an_update_for_an_object_made_anew_conflicts_by_its_uid(cluster):
    first = cluster.config_map("a", x="1")
    cluster.call("DELETE", f"{MAPS}/a")
    second = cluster.config_map("a", x="2")
    body = {**first, "metadata": {"name": "a", "uid": first["metadata"]["uid"]}}
    answer = cluster.call("PUT", f"{MAPS}/a", body)
    assert answer.status_code == 409
    assert answer.json()["message"] == (
        'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: '
        "/registry/configmaps/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
        f"UID in precondition: {first['metadata']['uid']}, UID in object meta: {second['metadata']['uid']}"
    )


def test_an_update_that_changes_nothing_keeps_the_version(cluster):
    made = cluster.config_map("a", x="1")
    again = cluster.call("PUT", f"{MAPS}/a", made).json()
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_lease_needs_the_version_to_be_updated(cluster):
    cluster.make(LEASES, {"metadata": {"name": "n1"}, "spec": {"holderIdentity": "n1"}})
    answer = cluster.call(
        "PUT", f"{LEASES}/n1", {"metadata": {"name": "n1"}, "spec": {"holderIdentity": "n2"}}
    )
    assert answer.status_code == 422
    assert answer.json()["message"].endswith(
        'leases.coordination.k8s.io "n1" is invalid: metadata.resourceVersion: Invalid value: 0: '
        "must be specified for an update"
    )


def test_a_put_creates_a_lease_that_is_not_there(cluster):
    answer = cluster.call(
        "PUT", f"{LEASES}/n1", {"metadata": {"name": "n1"}, "spec": {"holderIdentity": "n1"}}
    )
    assert answer.status_code == 201


def test_a_put_does_not_create_a_node(cluster):
    answer = cluster.call("PUT", f"{NODES}/n1", {"metadata": {"name": "n1"}})
    assert (answer.status_code, answer.json()["message"]) == (404, 'nodes "n1" not found')


def test_the_name_in_the_body_must_be_the_one_of_the_url(cluster):
    made = cluster.config_map("a")
    answer = cluster.call("PUT", f"{MAPS}/b", made)
    assert answer.json()["message"] == "the name of the object (a) does not match the name on the URL (b)"


def test_a_node_keeps_the_status_it_registers_with(cluster):
    body = {"metadata": {"name": "n1"}, "status": {"nodeInfo": {"kubeletVersion": "v1.36.2"}}}
    assert cluster.make(NODES, body)["status"] == body["status"]


def test_an_update_of_a_node_leaves_its_status(cluster):
    made = cluster.make(NODES, {"metadata": {"name": "n1"}, "status": {"phase": "here"}})
    changed = {**made, "spec": {"unschedulable": True}, "status": {"phase": "gone"}}
    cluster.call("PUT", f"{NODES}/n1", changed)
    found = cluster.read(f"{NODES}/n1")
    assert (found["spec"], found["status"]) == ({"unschedulable": True}, {"phase": "here"})


def test_an_update_of_a_nodes_status_leaves_its_spec(cluster):
    made = cluster.make(NODES, {"metadata": {"name": "n1"}, "spec": {"podCIDR": "10.0.0.0/24"}})
    cluster.call("PUT", f"{NODES}/n1/status", {**made, "spec": {}, "status": {"phase": "here"}})
    found = cluster.read(f"{NODES}/n1")
    assert (found["spec"], found["status"]) == ({"podCIDR": "10.0.0.0/24"}, {"phase": "here"})


def test_a_secrets_string_data_becomes_base64(cluster):
    made = cluster.make(SECRETS, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert (made["data"], made["type"], "stringData" in made) == ({"a": "Yg=="}, "Opaque", False)


def test_a_secrets_type_cannot_be_changed(cluster):
    made = cluster.make(SECRETS, {"metadata": {"name": "s"}})
    answer = cluster.call("PUT", f"{SECRETS}/s", {**made, "type": "Other"})
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'Secret "s" is invalid: type: Invalid value: "Other": field is immutable'
    )


def test_a_dry_run_stores_nothing(cluster):
    answer = cluster.call("POST", MAPS, {"metadata": {"name": "a"}}, params={"dryRun": "All"})
    assert answer.status_code == 201
    assert cluster.call("GET", f"{MAPS}/a").status_code == 404


def test_a_deletion_says_what_was_deleted(cluster):
    uid = cluster.config_map("a")["metadata"]["uid"]
    answer = cluster.call("DELETE", f"{MAPS}/a").json()
    assert (answer["status"], answer["details"]) == (
        "Success",
        {"name": "a", "kind": "configmaps", "uid": uid},
    )
    assert cluster.call("DELETE", f"{MAPS}/a").status_code == 404


def test_a_deletion_with_another_uid_conflicts(cluster):
    uid = cluster.config_map("a")["metadata"]["uid"]
    answer = cluster.call("DELETE", f"{MAPS}/a", {"preconditions": {"uid": "other"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == (
        'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (other) does not match '
        f"the UID in record ({uid}). The object might have been deleted and then recreated"
    )


def test_a_finalizer_delays_the_deletion(cluster):
    made = cluster.make(MAPS, {"metadata": {"name": "a", "finalizers": ["lab/wait"]}})
    marked = cluster.call("DELETE", f"{MAPS}/a").json()
    assert "deletionTimestamp" in marked["metadata"]
    without = {**made, "metadata": {"name": "a", "finalizers": []}}
    cluster.call("PUT", f"{MAPS}/a", without)
    assert cluster.call("GET", f"{MAPS}/a").status_code == 404


def test_a_collection_is_deleted_by_label(cluster):
    for name, label in (("a", "old"), ("b", "new")):
        cluster.make(MAPS, {"metadata": {"name": name, "labels": {"age": label}}})
    cluster.call("DELETE", MAPS, params={"labelSelector": "age=old"})
    assert [one["metadata"]["name"] for one in cluster.read(MAPS)["items"]] == ["b"]


def test_a_deleted_namespace_takes_its_objects_along(cluster):
    cluster.make("/api/v1/namespaces", {"metadata": {"name": "n"}})
    cluster.make("/api/v1/namespaces/n/configmaps", {"metadata": {"name": "a"}})
    cluster.call("DELETE", "/api/v1/namespaces/n")
    assert cluster.read("/api/v1/configmaps")["items"] == []


def test_a_permanent_namespace_cannot_be_deleted(cluster):
    answer = cluster.call("DELETE", "/api/v1/namespaces/kube-system")
    assert (
        answer.json()["message"] == 'namespaces "kube-system" is forbidden: this namespace may not be deleted'
    )


def test_a_kind_is_served_once_it_is_defined(cluster):
    names = {"plural": "pools", "singular": "pool", "kind": "Pool"}
    version = {"name": "v1", "served": True, "storage": True}
    spec = {"group": "lab.io", "scope": "Cluster", "names": names, "versions": [version]}
    definition = {"metadata": {"name": "pools.lab.io"}, "spec": spec}
    assert cluster.call("GET", "/apis/lab.io/v1/pools").status_code == 404
    cluster.make("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    made = cluster.make("/apis/lab.io/v1/pools", {"metadata": {"name": "a"}, "spec": {"any": ["thing"]}})
    assert (made["kind"], made["apiVersion"], made["spec"]) == ("Pool", "lab.io/v1", {"any": ["thing"]})
    listed = cluster.read("/apis/lab.io/v1/pools")
    assert (listed["kind"], listed["items"]) == ("PoolList", [made])


@pytest.mark.parametrize(
    "cluster", [{"allocate_node_cidrs": True, "cluster_cidr": "172.20.0.0/23"}], indirect=True
)
def test_each_node_gets_a_part_of_the_pods_network_while_there_is_one(cluster):
    names = ("a", "b", "c")
    for name in names:
        cluster.make(NODES, {"metadata": {"name": name}})
    specs = [cluster.read(f"{NODES}/{name}").get("spec", {}) for name in names]
    assert [spec.get("podCIDR") for spec in specs] == ["172.20.0.0/24", "172.20.1.0/24", None]
    assert specs[0]["podCIDRs"] == ["172.20.0.0/24"]


def test_without_being_asked_to_no_node_gets_a_part(cluster):
    assert "podCIDR" not in cluster.make(NODES, {"metadata": {"name": "a"}}).get("spec", {})
