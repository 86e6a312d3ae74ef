"""The node image's name and the mirror it is fetched from."""

from __future__ import annotations

from lab import image

TARGETS = """\
cloud-sdk-bookworm|cloud-sdk-bookworm|https://packages.cloud.google.com/apt/
trixie|Debian|http://mirror.example.org/trixie/
bookworm|Debian|http://mirror.example.org/debian/
bookworm|Debian|http://other.example.org/debian/
"""


def test_the_mirror_is_the_machines_own():
    assert image.mirror(TARGETS, "bookworm") == "http://mirror.example.org/debian"


def test_a_machine_without_that_release_uses_debians_mirror():
    assert image.mirror(TARGETS, "sid") == "http://deb.debian.org/debian"


def test_a_mirror_on_a_disc_is_not_used():
    assert image.mirror("bookworm|Debian|cdrom:/debian\n", "bookworm") == "http://deb.debian.org/debian"


def test_lines_of_another_form_are_passed_over():
    assert image.mirror("\nbookworm\n", "bookworm") == "http://deb.debian.org/debian"


def test_the_same_recipe_has_the_same_name():
    assert image.key("3008.3") == image.key("3008.3")


def test_another_debian_is_another_image():
    assert len({image.key("3008.3", suite) for suite in image.SUITES}) == len(image.SUITES)


def test_another_salt_is_another_image():
    assert image.key("3008.3") != image.key("3008.4")


def test_another_file_in_it_is_another_image(monkeypatch, tmp_path):
    before = image.key("3008.3")
    (tmp_path / "motd").write_text("hello")
    monkeypatch.setattr(image, "FILES", tmp_path)
    assert image.key("3008.3") != before
