"""What a highstate's answer is read as."""

from __future__ import annotations

from lab.highstate import Summary, failures, summarize


def state(name: str, result: bool | None = True, changes: dict | None = None, comment: str = "") -> dict:
    return {"__id__": name, "result": result, "changes": changes or {}, "comment": comment}


def test_counts_what_succeeded_and_what_changed():
    answer = {"a": state("a", changes={"diff": "New file"}), "b": state("b")}
    assert summarize(answer) == Summary(succeeded=2, changed=1, failures=())


def test_a_failure_is_told_with_its_id_and_comment():
    answer = {"a": state("kubelet-service-running", result=False, comment="it did not start")}
    assert summarize(answer).failures == ("kubelet-service-running: it did not start",)


def test_what_test_mode_would_change_is_no_failure():
    assert summarize({"a": state("a", result=None)}).failures == ()


def test_a_pillar_that_did_not_render_is_a_failure():
    answer = ["Pillar failed to render", "cluster.api_server: is missing"]
    assert summarize(answer) == Summary(0, 0, ("Pillar failed to render", "cluster.api_server: is missing"))


def test_a_minion_that_only_says_a_word_failed():
    assert summarize(False).failures == ("False",)


def test_reads_as_one_line():
    assert str(Summary(21, 3, ("x",))) == "succeeded 21 (changed 3), failed 1"


def test_who_failed_and_who_did_not_answer_is_told():
    answers = {"b": {"x": state("x", result=False, comment="no")}, "a": {"x": state("x")}, "c": []}
    assert failures(["a", "b", "c", "d"], answers) == ["b: x: no", "c: []", "d: did not answer"]
