"""Ready-made programs from the network: envtest's releases, and Kubernetes' own for what those lack.

envtest's archives (kubernetes-sigs/controller-tools) hold etcd and kube-apiserver; their index gives each one's
SHA-512, which is verified. kube-controller-manager comes from Kubernetes' release site with the SHA-256 published
beside it, for the same version as the API server.
Format of the index: https://github.com/kubernetes-sigs/controller-tools/blob/HEAD/envtest-releases.yaml
"""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.binaries import API_SERVER, CONTROLLERS, ETCD, KUBERNETES_VERSION
from irsa_manager.sandbox.files import open_private
from irsa_manager.sandbox.progress import Progress

INDEX = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
RELEASES = "https://dl.k8s.io/release"
ANSWER_SECONDS = 5.0
LARGEST = 600 * 2**20
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}


class Releases:
    """Where to download from; the defaults are the public places."""

    def __init__(self, index: str = INDEX, releases: str = RELEASES) -> None:
        self.index, self.releases = index, releases

    def fetch(self, wanted: Iterable[str], directory: Path, progress: Progress) -> None:
        """Put the programs `wanted` into directory, 0700, each complete or not at all.

        Raises SandboxError where a server can't be reached (within ANSWER_SECONDS), has no release of the wanted
        series for this machine, or sends something whose checksum differs.
        """
        names = set(wanted)
        system = f"linux-{_architecture()}"
        version, archive = self._release(system)
        if from_archive := names & {ETCD, API_SERVER}:
            data = _download(archive["selfLink"], f"envtest {version}", progress)
            _verify(archive["selfLink"], data, "sha512", str(archive["hash"]))
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for name in sorted(from_archive):
                    _place(directory / name, _member(tar, name))
        if CONTROLLERS in names:
            url = f"{self.releases}/{version}/bin/{system.replace('-', '/')}/{CONTROLLERS}"
            checksum = _download(url + ".sha256", f"checksum of {CONTROLLERS}", progress).decode("ascii", "replace")
            data = _download(url, f"{CONTROLLERS} {version}", progress)
            _verify(url, data, "sha256", checksum.split()[0] if checksum.split() else "")
            _place(directory / CONTROLLERS, data)

    def _release(self, system: str) -> tuple[str, dict[str, Any]]:
        """The newest release of our series: its version with v, its archive's hash and selfLink."""
        document = yaml.safe_load(_download(self.index, "envtest's index", None))
        releases = document.get("releases") if isinstance(document, dict) else None
        if not isinstance(releases, dict):
            raise SandboxError("SandboxFailed", f"{self.index} isn't an index of envtest releases")
        series = "v" + ".".join(KUBERNETES_VERSION.split(".")[:2]) + "."
        found = {
            int(version.removeprefix(series)): (version, archives[f"envtest-{version}-{system}.tar.gz"])
            for version, archives in releases.items()
            if str(version).startswith(series)
            and version.removeprefix(series).isdecimal()
            and f"envtest-{version}-{system}.tar.gz" in (archives or {})
        }
        if not found:
            raise SandboxError("SandboxFailed", f"envtest has no release {series}x for {system}")
        return found[max(found)]


def _architecture() -> str:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxError("SandboxFailed", f"no releases for {machine}")
    return ARCHITECTURES[machine]


def _download(url: str, what: str, progress: Progress | None) -> bytes:
    def read(update: Callable[[int, int], None]) -> bytes:
        chunks: list[bytes] = []
        done = 0
        try:
            # The address is ours or comes from the index; nobody else names it.
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                total = int(answer.headers.get("Content-Length") or 0)
                while chunk := answer.read(2**18):
                    chunks.append(chunk)
                    done += len(chunk)
                    update(done, total)
                    if done > LARGEST:
                        raise SandboxError("SandboxFailed", f"{url} is larger than {LARGEST // 2**20} MB")
        except (OSError, ValueError) as exc:
            reason = exc.reason if isinstance(exc, urllib.error.URLError) else exc
            raise SandboxError("SandboxFailed", f"{url}: {reason}") from exc
        return b"".join(chunks)

    if progress is None:
        return read(lambda _done, _total: None)
    with progress.work(f"downloading {what}") as update:
        return read(update)


def _verify(url: str, data: bytes, algorithm: str, expected: str) -> None:
    actual = hashlib.new(algorithm, data).hexdigest()
    if actual != expected.strip().lower():
        raise SandboxError(
            "SandboxFailed", f"{url} has the {algorithm} checksum {actual[:12]}..., published is {expected[:12]}..."
        )


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    for member in tar:
        if member.isfile() and member.name.rpartition("/")[2] == name and member.size <= LARGEST:
            file = tar.extractfile(member)
            if file is not None:
                return file.read()
    raise SandboxError("SandboxFailed", f"the envtest archive holds no {name}")


def _place(target: Path, data: bytes) -> None:
    draft = target.with_name(f".{target.name}.new")
    with open_private(draft) as file:
        file.write(data)
    draft.chmod(0o700)
    draft.replace(target)
