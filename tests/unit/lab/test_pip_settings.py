"""pip's settings on this machine, and the places that they name."""

from __future__ import annotations

from pathlib import Path

from lab import pip_settings


def test_the_later_file_wins(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("[global]\nindex-url = https://one.example\ntimeout = 5\n")
    second.write_text("[global]\nindex-url = https://two.example\n")
    assert pip_settings.merged([first, second]).split() == [
        *("[global]", "index-url", "=", "https://two.example", "timeout", "=", "5")
    ]


def test_no_files_are_no_settings():
    assert pip_settings.merged([]) == ""


def test_a_percent_sign_is_kept(tmp_path):
    path = tmp_path / "pip.conf"
    path.write_text("[global]\nindex-url = https://me:pass%20word@pypi.example\n")
    assert "https://me:pass%20word@pypi.example" in pip_settings.merged([path])


def test_the_users_file_is_read_after_the_machines(tmp_path):
    own = tmp_path / ".config/pip/pip.conf"
    own.parent.mkdir(parents=True)
    own.touch()
    assert pip_settings.files(tmp_path, {})[-1] == own


def test_the_file_that_the_environment_names_comes_last(tmp_path):
    named = tmp_path / "special.conf"
    named.touch()
    assert pip_settings.files(tmp_path, {"PIP_CONFIG_FILE": str(named)})[-1] == named


def test_pips_variables_and_proxies_are_kept():
    environment = {"PIP_INDEX_URL": "x", "https_proxy": "y", "PATH": "/bin"}
    assert pip_settings.variables(environment) == {"PIP_INDEX_URL": "x", "https_proxy": "y"}


def test_variables_that_name_places_to_write_to_are_left_out():
    assert pip_settings.variables({"PIP_TARGET": "/here", "PIP_CACHE_DIR": "/there"}) == {}


def test_an_index_folder_is_bound_with_its_neighbours(tmp_path):
    (tmp_path / "simple").mkdir()
    assert pip_settings.places([f"extra-index-url = file://{tmp_path}/simple"]) == [tmp_path]


def test_a_folder_of_wheels_is_bound(tmp_path):
    assert pip_settings.places([f"find-links={tmp_path}"]) == [tmp_path]


def test_a_folder_inside_another_is_bound_once(tmp_path):
    (tmp_path / "wheels").mkdir()
    assert pip_settings.places([f"{tmp_path} {tmp_path}/wheels"]) == [tmp_path]


def test_what_is_not_there_or_no_path_is_passed_over():
    assert pip_settings.places(["https://pypi.org/simple file:///not/there 15 /"]) == []


def test_all_places_come_from_the_files_and_the_environment(tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    assert wheels in pip_settings.binds({"PIP_FIND_LINKS": str(wheels)}, home=Path("/nonexistent"))
