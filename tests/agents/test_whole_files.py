"""Files that are never seen in part."""

from __future__ import annotations

import pytest

from hepgym.agents.whole_files import whole_file, write_whole


def test_what_is_written_replaces_the_file(tmp_path):
    file = tmp_path / "state.json"
    for text in ("one", "zweiundzwanzig, \u00fc"):
        write_whole(file, text)
        assert file.read_text(encoding="utf-8") == text
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


def test_a_failure_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "state.json"
    write_whole(file, "old")

    def interrupted():
        with whole_file(file) as part:
            part.write_text("half")
            assert file.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]
