"""Find the control plane's programs, or make them.

In this order, for each program by itself (an envtest directory, for one, has no kube-controller-manager):
1. $KUBEBUILDER_ASSETS  2. PATH  3. the user's cache  4. an envtest release, into the cache
5. `go build` from Go modules, into the cache.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox import gobuild
from irsa_manager.sandbox.binaries import KUBERNETES_VERSION, PROGRAMS, Binaries, unfit
from irsa_manager.sandbox.cache import Cache
from irsa_manager.sandbox.locks import locked
from irsa_manager.sandbox.progress import Progress, Quiet
from irsa_manager.sandbox.releases import Releases
from irsa_manager.sandbox.toolchain import find_go

ALL_AT_ONCE = "5 to 9 minutes"
WAY_OUT = (
    "install Go 1.21 or newer and let it reach a Go module proxy (GOPROXY), or set KUBEBUILDER_ASSETS to a directory "
    f"with {', '.join(PROGRAMS)} of Kubernetes {KUBERNETES_VERSION}"
)


def find(
    progress: Progress | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    recipes: Mapping[str, gobuild.Recipe] = gobuild.RECIPES,
    releases: Releases | None = None,
) -> Binaries:
    """The three programs, found or made.

    Two runs at once are safe: one builds, the other waits and uses the result. Call it from the main thread: a
    compiler lives as long as the thread. releases: where to download from. Raises SandboxError that names every
    place that was tried, and the way out.
    """
    search = Search(os.environ if environ is None else environ, progress or Quiet(), releases or Releases())
    search.look(search.existing())
    search.look({"the cache": search.cached()})
    if not search.missing:
        return Binaries.of(search.found, search.source())
    return search.make(recipes)


class Search:
    """What was found and what was tried, so far."""

    def __init__(self, environ: Mapping[str, str], progress: Progress, releases: Releases) -> None:
        self.environ, self.progress, self.releases = environ, progress, releases
        self.cache = Cache(environ)
        self.found: dict[str, Path] = {}
        self.places: list[str] = []
        self.tried: list[str] = []

    @property
    def missing(self) -> list[str]:
        """Programs that no place had."""
        return [name for name in PROGRAMS if name not in self.found]

    def source(self) -> str:
        """Where they come from, in words."""
        return " and ".join(self.places)

    def existing(self) -> dict[str, dict[str, Path]]:
        """By place: the files that may be the programs."""
        places: dict[str, dict[str, Path]] = {}
        if assets := self.environ.get("KUBEBUILDER_ASSETS"):
            places["KUBEBUILDER_ASSETS"] = {name: Path(assets).absolute() / name for name in PROGRAMS}
        path = self.environ.get("PATH", "")
        on_path = {name: shutil.which(name, path=path) for name in PROGRAMS}
        places["PATH"] = {name: Path(file).absolute() for name, file in on_path.items() if file}
        return places

    def cached(self) -> dict[str, Path]:
        """The cache's files; none where others may write there, which becomes part of the story."""
        if why := self.cache.untrusted():
            self.tried.append(f"the cache: {why}")
            return {}
        return {name: self.cache.directory / name for name in PROGRAMS if (self.cache.directory / name).exists()}

    def look(self, places: Mapping[str, Mapping[str, Path]], *, again: bool = False) -> None:
        """Take what is missing from the places, in their order; remember why not, unless it is looked at again."""
        for place, files in places.items():
            problems = []
            for name in self.missing:
                why = unfit(name, files[name]) if name in files else f"no {name}"
                if why:
                    problems.append(why)
                    continue
                self.found[name] = files[name]
                if place not in self.places:
                    self.places.append(place)
            if problems and not again:
                self.tried.append(f"{place}: {', '.join(problems)}")

    def make(self, recipes: Mapping[str, gobuild.Recipe]) -> Binaries:
        """Download or build what is missing, under the cache's lock."""
        self.cache.make()
        with locked(self.cache.lock, lambda: self.progress.say("Another run is preparing the control plane; waiting.")):
            self.look({"the cache": self.cached()}, again=True)
            if not self.missing:
                return Binaries.of(self.found, self.source())
            for leftover in self.cache.directory.glob(".build-*"):
                shutil.rmtree(leftover)  # of a run that was killed; nobody else builds while we hold the lock
            self._download()
            if self.missing:
                self._build(recipes)
        return Binaries.of(self.found, self.source(), built=True)

    def _download(self) -> None:
        try:
            self.releases.fetch(self.missing, self.cache.directory, self.progress)
        except SandboxError as exc:
            self.tried.append(f"envtest release: {exc.message}")
        self.look({"an envtest release": self.cached()}, again=True)

    def _build(self, recipes: Mapping[str, gobuild.Recipe]) -> None:
        missing = self.missing
        self.progress.say(
            f"Building {', '.join(missing)} from Go modules, since no ready-made one was found. "
            f"Once; {ALL_AT_ONCE} on 2 cores. Kept in {self.cache.directory}"
        )
        try:
            go = find_go(self.cache.root, self.environ, self.progress)
            for name in missing:
                target = self.cache.directory / name
                gobuild.build(name, recipes[name], target, go=go, environ=self.environ, progress=self.progress)
        except SandboxError as exc:
            self.tried.append(f"go build: {exc.message}")
        self.look({"Go modules": self.cached()}, again=True)
        if self.missing:
            raise SandboxError(
                "ControlPlaneMissing",
                f"No {', '.join(self.missing)} for the sandbox. Tried:\n" + "\n".join(f"  {t}" for t in self.tried),
                left="what was finished stays in the cache",
                hint=WAY_OUT,
            )
