"""A sandbox's directory: only what is ours is taken and removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from irsa_manager.api.errors import SandboxError, UsageError
from irsa_manager.sandbox.directory import SandboxDirectory, default_directory


def test_the_default_follows_the_xdg_specification() -> None:
    assert default_directory({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/irsa-manager/sandbox")
    assert default_directory({"XDG_STATE_HOME": "rel", "HOME": "/h"}) == Path("/h/.local/state/irsa-manager/sandbox")


def test_claim_and_release_leave_nothing(tmp_path: Path) -> None:
    directory = SandboxDirectory(tmp_path / "a" / "b")
    directory.claim()
    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert (directory.is_running(), directory.supervisor()) == (True, os.getpid())
    directory.write_state("{}")
    (directory.path / "etcd").mkdir()
    (directory.path / "etcd" / "data").write_text("x")
    with pytest.raises(SandboxError, match=f"already \\(pid {os.getpid()}\\)") as caught:
        SandboxDirectory(directory.path).claim()
    assert caught.value.code == "SandboxRunning"
    with pytest.raises(SandboxError):
        SandboxDirectory(directory.path).check_free()
    assert not SandboxDirectory(directory.path).remove_stale()
    directory.release()
    assert not directory.path.exists()
    assert not directory.is_running()


def test_an_open_empty_directory_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    directory = SandboxDirectory(tmp_path / "open")
    directory.claim()
    assert directory.path.stat().st_mode & 0o777 == 0o700
    directory.release()


def test_a_failure_leaves_its_text_and_the_logs_only(tmp_path: Path) -> None:
    directory = SandboxDirectory(tmp_path / "box")
    directory.claim()
    directory.logs.mkdir()
    (directory.logs / "etcd.log").write_text("disk full")
    (directory.path / "pki").mkdir()
    directory.release("etcd ended")
    assert sorted(path.name for path in directory.path.iterdir()) == ["ended", "logs"]
    assert directory.failure() == "etcd ended"
    again = SandboxDirectory(directory.path)
    again.claim()
    assert (again.failure(), again.logs.exists()) == ("", False)
    again.release()


@pytest.mark.parametrize("names", [["notes.txt"], ["lock", "notes.txt"], ["logs"]])
def test_a_directory_with_anything_else_is_refused(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="isn't a sandbox's directory"):
        SandboxDirectory(tmp_path).claim()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be a sandbox's directory: Not a directory"):
        SandboxDirectory(tmp_path / "file").claim()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    directory = SandboxDirectory(tmp_path / "box")
    directory.claim()
    (directory.path / "etcd").symlink_to(tmp_path / "precious")
    directory.release()
    assert (tmp_path / "precious" / "file").exists()
    assert not directory.path.exists()
