"""ministack, embedded: its routing, stores and policy evaluator without its web application.

Only _dispatch_service_request is used: it detects the service, checks signature and policies and calls the service.
None of ministack's own endpoints (/_ministack, /_localstack, /_aws, function URLs, load balancers, ...) and none of
its listeners exist here, since the application that has them is never run. Functions that are replaced or relied on
are looked up by name at the start: another version of ministack fails there and not in the middle of a test.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.front.answers import Answer
from irsa_manager.sandbox.front.config import FrontConfig
from irsa_manager.sandbox.front.credentials import Keyring

VERSION: Final = "1.5.33"

SERVICES: Final = frozenset(
    {"iam", "sts", "s3", "sqs", "sns", "dynamodb", "secretsmanager", "ssm", "kms", "logs", "monitoring", "eks"}
)
"""Services that are served. Each of them authorises every operation; others of ministack's have open data planes."""

_NEEDED: Final[Mapping[str, str]] = {
    "ministack.core.iam_evaluator": (
        "is_root_access_key find_iam_access_key_account resolve_credential _SESSION_TOKEN_NOT_CHECKED "
        "_unknown_access_key _validate_session_token ResolvedCredential enforce evaluate AuthError EvalContext "
        "evaluate_trust_policy resolve_caller_identity _gather_role_policies _gather_user_policies "
        "_permissions_boundary _action_matches _resolve_condition_key pin_request_origin pin_signed_request"
    ),
    "ministack.core.iam_actions": ("request_tag_context extract_resource_arn access_denied_response"),
    "ministack.core.responses": ("set_request_account_id set_request_region get_account_id request_scope"),
    "ministack.app": (
        "_dispatch_service_request _handle_s3_vhost_request _read_request_body _IncompleteRequestBody "
        "_incomplete_request_body_response _routing_params _request_account_scope detect_service extract_region "
        "extract_access_key_id SERVICE_HANDLERS"
    ),
    "ministack.services.iam": (
        "_IAM_HANDLERS _roles _users _policies _access_keys _instance_profiles _oidc_providers _aws_managed_policies "
        "_make_aws_managed_record _lookup_policy attach_managed_policy detach_managed_policy _gen_id _now"
    ),
    "ministack.services.sts": "_sessions register_session _session_policies handle_request",
    "ministack.services.s3": (
        "_buckets _bucket_policies _put_bucket_policy is_standard_object_request format_head_response _error"
    ),
}

Handler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[Answer]]


class Emulator:
    """ministack's modules after they were made strict. One per process: ministack keeps its state in modules."""

    def __init__(self, config: FrontConfig) -> None:
        self.account = config.account
        self.region = config.region
        self.keyring = Keyring()
        self.keyring.add(config.root.access_key_id, config.account, config.root.secret_access_key)
        _set_environment(config)
        _require_version()
        self.evaluator = _load("ministack.core.iam_evaluator")
        self.keyring.install(self.evaluator)
        self.responses = _load("ministack.core.responses")
        self.actions = _load("ministack.core.iam_actions")
        self.app = _load("ministack.app")
        self.iam = _load("ministack.services.iam")
        self.sts = _load("ministack.services.sts")
        self.s3 = _load("ministack.services.s3")
        if not self.app.AUTH:
            raise SandboxError("SandboxFailed", "the emulated AWS did not switch its authorisation on")

    def handle(self, service: str, handler: Handler) -> None:
        """Answer a service's authorised requests with a handler of ours in place of the emulator's."""
        self.app.SERVICE_HANDLERS[service] = handler

    def role(self, account: str, name: str) -> dict[str, Any] | None:
        """A role's record in an account, whoever asks."""
        return cast("dict[str, Any] | None", self.iam._roles.get_scoped(account, None, name))

    def provider(self, account: str, host_path: str) -> dict[str, Any] | None:
        """The OIDC provider of an account for an issuer without its https://."""
        arn = f"arn:aws:iam::{account}:oidc-provider/{host_path}"
        return cast("dict[str, Any] | None", self.iam._oidc_providers.get_scoped(account, None, arn))

    def bucket_owner(self, bucket: str) -> tuple[str, dict[str, Any]] | None:
        """The account that owns a bucket, with its record; bucket names are one name space for all accounts."""
        for (account, name), record in list(self.s3._buckets.to_dict().items()):
            if name == bucket:
                return str(account), record
        return None


def _set_environment(config: FrontConfig) -> None:
    """What ministack reads when it is imported: authorisation on, no disk state, no Docker, no listeners."""
    state = Path(config.state_dir)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINISTACK_", "LOCALSTACK_"))]:
        del os.environ[name]
    os.environ.update(
        {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(config.port),
            "MINISTACK_HOST": "localhost",
            "MINISTACK_ACCOUNT_ID": config.account,
            "MINISTACK_REGION": config.region,
            "IOT_MTLS_ENABLED": "0",
            "IOT_MTLS_PORT": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "S3_DATA_DIR": str(state / "s3"),
            "STATE_DIR": str(state / "state"),
            "TMPDIR": str(state),
            "DOCKER_HOST": f"unix://{state / 'no-docker.sock'}",
            "LOG_LEVEL": "WARNING",
        }
    )


def _require_version() -> None:
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        raise SandboxError(
            "SandboxFailed",
            f"the sandbox's AWS is written for ministack {VERSION}, and {found} is installed",
            hint="Install the locked requirements (requirements/sandbox.txt).",
        )


def _load(name: str) -> ModuleType:
    module = importlib.import_module(name)
    missing = [wanted for wanted in _NEEDED[name].split() if not hasattr(module, wanted)]
    if missing:
        raise SandboxError("SandboxFailed", f"{name} lacks {', '.join(missing)}, which the sandbox's AWS relies on")
    return module
