"""A word in a unit comes out of systemd as it went in."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kube_node_units import word

from unit import systemd
from unit.nodes import compiled
from unit.test_kube_node_files import rendered

printable = st.text(
    st.characters(exclude_categories=("C", "Z"), include_characters=" ") | st.sampled_from("%$\"'\\ ;#{}a")
)


@given(printable)
@example("a b")
@example("100%")
@example("%h")
@example("$HOME")
@example("${HOME}")
@example("$$")
@example("a\\")
@example("\\;")
@example(";")
@example("'")
@example('"')
@example("")
@example("é")
def test_a_word_comes_out_as_it_went_in(text: str):
    assert systemd.command(f"/bin/x {word(text)} end") == ["/bin/x", text, "end"]


@given(st.lists(printable, max_size=4))
def test_words_stay_apart(texts: list[str]):
    assert systemd.command(" ".join(["/bin/x", *map(word, texts)])) == ["/bin/x", *texts]


@given(printable)
def test_a_word_is_one_line_without_a_comment_or_a_continuation(text: str):
    written = word(text)
    assert len(written.splitlines()) <= 1
    assert not written.endswith("\\")


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\x00b", "a\x1bb", "a\u2028b", "a\x85b"])
def test_a_control_character_is_refused(text: str):
    with pytest.raises(ValueError, match=r"^has a control character$"):
        word(text)


def test_what_needs_no_quotes_has_none():
    assert word("--node-labels=a/b=c,d=e") == "--node-labels=a/b=c,d=e"


HOSTILE = ['a b"; /bin/evil "', "%h %n %i", "$HOME ${HOME}", "\\", "' --port=1 '", "# no", "--x=y -- z"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_breaks_out_of_its_option(text: str):
    node = compiled({"kubelet": {"extra_args": {"cloud-provider": text}}})
    program, *options = systemd.started(rendered(node)["/etc/systemd/system/kubelet.service"])
    assert program == "/usr/local/bin/kubelet"
    assert f"--cloud-provider={text}" in options
    assert len(options) == len(node["kubelet"]["arguments"])
