"""What the front is told at its start: one JSON file, checked as a whole before anything is listened on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from irsa_manager.api.errors import SandboxError


class RootKey(msgspec.Struct, frozen=True):
    """The access key of an account's root user; random for each sandbox, never a well-known test key."""

    access_key_id: str
    secret_access_key: str


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an issuer's documents are really served: ISSUER/path is fetched as url/path, trusting ca_pem only."""

    issuer: str
    url: str
    ca_pem: str = ""


class FrontConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The front's configuration. state_dir holds what the emulator may write; nothing is written elsewhere."""

    port: int
    root: RootKey
    state_dir: str
    account: str = "000000000000"
    region: str = "us-east-1"
    issuers: tuple[Issuer, ...] = ()


def read(path: Path) -> FrontConfig:
    """The configuration in a file.

    Raises:
        SandboxError: the file can't be read, or it isn't what FrontConfig describes; says which field.

    """
    try:
        config = msgspec.json.decode(path.read_bytes(), type=FrontConfig)
    except OSError as error:
        raise SandboxError("SandboxFailed", f"the front's configuration {path} can't be read: {error}") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SandboxError("SandboxFailed", f"the front's configuration {path} is wrong: {error}") from error
    problem = _problem(config)
    if problem:
        raise SandboxError("SandboxFailed", f"the front's configuration {path} is wrong: {problem}")
    return config


def _problem(config: FrontConfig) -> str:
    if not 0 < config.port < 65536:
        return f"port {config.port} is not between 1 and 65535"
    if not (config.account.isascii() and config.account.isdigit() and len(config.account) == 12):
        return f"account {config.account!r} is not 12 digits"
    if len(config.root.access_key_id) < 16 or len(config.root.secret_access_key) < 16:
        return "root needs an access_key_id and a secret_access_key of 16 characters or more"
    return ""
