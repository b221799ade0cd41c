"""Bucket policies: the principals they name must exist, and a deleted one stays deleted.

Source: IAM User Guide, "AWS JSON policy elements: Principal" (a principal's unique id is stored in place of its ARN);
Amazon S3 API Reference, PutBucketPolicy and the error MalformedPolicy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.store import Store


class BucketPolicies:
    """Stands before the emulator's PutBucketPolicy, after the caller was authorised."""

    def __init__(self, emulator: Emulator, store: Store) -> None:
        self._store = store
        self._error: Callable[..., Any] = emulator.s3._error
        self._put: Callable[[str, bytes], Any] = emulator.s3._put_bucket_policy
        s3: Any = emulator.s3
        s3._put_bucket_policy = self.put

    def put(self, bucket: str, body: bytes) -> Any:
        """The emulator's answer, or MalformedPolicy where a principal doesn't exist."""
        try:
            principals = list(_principals(json.loads(body)))
        except (ValueError, AttributeError):
            return self._error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'", 400)
        if not all(one == "*" or one.isdigit() or self._store.principal_exists(one) for one in principals):
            return self._error("MalformedPolicy", "Invalid principal in policy", 400)
        return self._put(bucket, body)


def _principals(policy: dict[str, Any]) -> Iterator[str]:
    statements = policy.get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        for element in ("Principal", "NotPrincipal"):
            principal = statement.get(element, {})
            listed = principal.get("AWS", []) if isinstance(principal, dict) else []
            yield from [listed] if isinstance(listed, str) else listed
