"""IRSAs out of files, directories and standard input, and as the API server would store them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from irsa_manager.api import names
from irsa_manager.api.errors import KubernetesError, UsageError

if TYPE_CHECKING:
    from irsa_manager.api.irsa import IRSA
    from irsa_manager.kube.client import Kube

SUFFIXES = (".yaml", ".yml", ".json")
"""Files of a directory that are read, as kubectl does; directories below it aren't."""


@dataclass(frozen=True)
class Manifest:
    """One IRSA as written. origin: file and document, for messages."""

    namespace: str
    name: str
    body: dict[str, Any]
    origin: str

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


@dataclass
class Read:
    """What was found. passed_over: other kinds, as `Kind name (file)`."""

    manifests: list[Manifest] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def read_manifests(sources: Sequence[str], namespace: str) -> Read:
    """Read FILE, DIRECTORY or - (standard input). namespace: of -n, "" where it wasn't given.

    Raises UsageError: a source isn't there or no YAML, an object has no name, is there twice, or names another
    namespace than -n.
    """
    found = Read()
    for origin, document in _documents(sources):
        kind, metadata = str(document.get("kind", "")), document.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        name = str(metadata.get("name", ""))
        if kind != "IRSA" or document.get("apiVersion") != names.API_VERSION:
            found.passed_over.append(f"{kind or 'no kind'} {name} ({origin})".replace("  ", " "))
            continue
        if not name:
            raise _wrong(f"An IRSA in {origin} has no metadata.name.", "Name it.")
        own = str(metadata.get("namespace", ""))
        if own and namespace and own != namespace:
            raise _wrong(
                f"IRSA {own}/{name} ({origin}) isn't in namespace {namespace}, which -n names.", "Leave -n out."
            )
        manifest = Manifest(own or namespace or "default", name, document, origin)
        if any(other.key == manifest.key for other in found.manifests):
            raise _wrong(f"IRSA {manifest.key} is there twice, again in {origin}.", "Take one of them out.")
        found.manifests.append(manifest)
    return found


def _documents(sources: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for source in sources:
        for origin, text in _texts(source):
            try:
                documents = list(yaml.safe_load_all(text))
            except yaml.YAMLError as error:
                raise _wrong(f"{origin} is no YAML: {_said(error)}.", "Correct it.") from error
            for document in documents:
                if document is None:
                    continue
                if not isinstance(document, dict):
                    raise _wrong(f"{origin} holds something that is no object.", "Correct it.")
                items = document.get("items")
                if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
                    yield from ((origin, item) for item in items if isinstance(item, dict))
                else:
                    yield origin, document


def _texts(source: str) -> Iterator[tuple[str, str]]:
    if source == "-":
        yield "standard input", sys.stdin.read()
        return
    path = Path(source)
    files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES and f.is_file()) if path.is_dir() else [path]
    for file in files:
        try:
            yield str(file), file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise _wrong(
                f"{file} can't be read: {why}.", "Name a file, a directory, or - for standard input."
            ) from error


def _said(error: yaml.YAMLError) -> str:
    """What is wrong and where, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


async def as_stored(kube: Kube, manifest: Manifest) -> IRSA:
    """The object as the API server would store it: checked by server dry-run, with the status it has now.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run. An object that exists gets the manifest's
    spec as a whole. Raises KubernetesError with the object's name and place.
    """
    import msgspec

    from irsa_manager.api.irsa import IRSA
    from irsa_manager.kube.resources import IRSAS

    namespace, name, spec = manifest.namespace, manifest.name, manifest.body.get("spec")
    try:
        there = await kube.get(IRSAS, namespace, name)
        if there is None:
            metadata = {**manifest.body["metadata"], "namespace": namespace}
            draft = await kube.create(IRSAS, {**manifest.body, "metadata": metadata}, namespace, dry_run=True)
            if not draft.metadata.creation_timestamp:
                # Of two that want the same the older one has it, and this one is the youngest of all.
                draft.metadata.creation_timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return draft
        answer = await kube.raw(
            "PATCH",
            IRSAS.path(namespace, name),
            query={"dryRun": "All", "fieldManager": names.FIELD_MANAGER},
            body=[{"op": "add", "path": "/spec", "value": spec}],
            content_type="application/json-patch+json",
        )
        return msgspec.json.decode(answer, type=IRSA)
    except KubernetesError as error:
        error.object = f"IRSA {manifest.key} ({manifest.origin})"
        raise


def _wrong(message: str, hint: str) -> UsageError:
    return UsageError("Usage", message, left="Nothing was tried.", hint=hint)
