"""Downloads from a real HTTP server of this machine: what is verified, and what is refused."""

from __future__ import annotations

import hashlib
import http.server
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.binaries import API_SERVER, CONTROLLERS, ETCD, PROGRAMS, version_of
from irsa_manager.sandbox.progress import Quiet
from irsa_manager.sandbox.releases import ARCHITECTURES, Releases

VERSION = "v1.37.9"
SYSTEMS = [f"linux-{architecture}" for architecture in ARCHITECTURES.values()]


def script(says: str) -> bytes:
    """A program that tells a version, as a real one does."""
    return f"#!/bin/sh\necho '{says}'\n".encode()


def archive() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, says in ((API_SERVER, "Kubernetes v1.37.9"), (ETCD, "etcd Version: 3.6.1"), ("kubectl", "")):
            info = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            info.size = len(script(says))
            tar.addfile(info, io.BytesIO(script(says)))
    return data.getvalue()


class Site:
    """The files that a server on 127.0.0.1 serves from a directory."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.url = root, f"http://127.0.0.1:{port}"
        data = archive()
        self.index: dict[str, dict[str, dict[str, str]]] = {}
        for version in ("v1.36.0", "v1.37.0", VERSION, "v1.37.10-rc.1"):
            self.index[version] = {}
            for system in SYSTEMS:
                name = f"envtest-{version}-{system}.tar.gz"
                self.put(name, data if version == VERSION else b"the wrong one")
                digest = hashlib.sha512(data).hexdigest()
                self.index[version][name] = {"hash": digest, "selfLink": f"{self.url}/{name}"}
        for architecture in ARCHITECTURES.values():
            program = script("Kubernetes v1.37.9")
            self.put(f"{VERSION}/bin/linux/{architecture}/{CONTROLLERS}", program)
            digest = hashlib.sha256(program).hexdigest()
            self.put(f"{VERSION}/bin/linux/{architecture}/{CONTROLLERS}.sha256", digest.encode())
        self.write_index()

    def put(self, path: str, data: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def write_index(self) -> None:
        self.put("index.yaml", yaml.safe_dump({"releases": self.index}).encode())

    def releases(self) -> Releases:
        return Releases(f"{self.url}/index.yaml", self.url)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    root = tmp_path / "site"
    root.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(root))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Site(root, server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


def test_the_newest_release_of_our_series_is_fetched_and_verified(site: Site, target: Path) -> None:
    site.releases().fetch(PROGRAMS, target, Quiet())
    assert {path.name: version_of(path) for path in target.iterdir()} == {
        ETCD: "3.6.1",
        API_SERVER: "1.37.9",
        CONTROLLERS: "1.37.9",
    }
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o700}


def test_only_what_is_wanted_is_placed(site: Site, target: Path) -> None:
    site.releases().fetch([CONTROLLERS], target, Quiet())
    assert [path.name for path in target.iterdir()] == [CONTROLLERS]


def test_a_changed_archive_is_refused(site: Site, target: Path) -> None:
    for system in SYSTEMS:
        site.index[VERSION][f"envtest-{VERSION}-{system}.tar.gz"]["hash"] = "0" * 128
    site.write_index()
    with pytest.raises(SandboxError, match=r"has the sha512 checksum [0-9a-f]{12}\.\.\., published is 000000000000"):
        site.releases().fetch(PROGRAMS, target, Quiet())
    assert list(target.iterdir()) == []


def test_a_changed_program_is_refused(site: Site, target: Path) -> None:
    for architecture in ARCHITECTURES.values():
        site.put(f"{VERSION}/bin/linux/{architecture}/{CONTROLLERS}", b"something else")
    with pytest.raises(SandboxError, match="has the sha256 checksum"):
        site.releases().fetch([CONTROLLERS], target, Quiet())
    assert list(target.iterdir()) == []


def test_no_release_of_our_series(site: Site, target: Path) -> None:
    site.index = {"v1.36.0": site.index["v1.36.0"]}
    site.write_index()
    with pytest.raises(SandboxError, match=r"no release v1\.37\.x for linux-"):
        site.releases().fetch(PROGRAMS, target, Quiet())


@pytest.mark.parametrize("text", [b"<html>", b"[1]", b"releases: 7"])
def test_something_else_than_an_index(text: bytes, site: Site, target: Path) -> None:
    site.put("index.yaml", text)
    with pytest.raises(SandboxError, match="isn't an index"):
        site.releases().fetch(PROGRAMS, target, Quiet())


def test_an_unreachable_server_is_named(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SandboxError, match=f"http://127.0.0.1:{port}/i: .*refused"):
        Releases(f"http://127.0.0.1:{port}/i").fetch(PROGRAMS, target, Quiet())
