"""Policy documents on their way to IAM and back.

To IAM: JSON, compact, keys sorted, ASCII only (IAM takes U+0020 to U+00FF; JSON escapes serve for the rest). From IAM:
percent-encoded by RFC 3986 (IAM API reference, GetRole, AssumeRolePolicyDocument).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote


def encode_document(document: Any) -> str:
    """A document as it is sent: the same document gives the same text, with no white space that quotas would count."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def decode_document(text: str) -> Any:
    """A document as IAM stores it, decoded; None if it is no JSON (which IAM wouldn't have taken)."""
    try:
        return json.loads(unquote(text))
    except ValueError:
        return None


def trust_document(value: Any) -> dict[str, Any] | None:
    """A decoded trust policy, or None for what isn't one."""
    return value if isinstance(value, dict) else None


def rfc3339(value: datetime | str) -> str:
    """A time of AWS's, in UTC to the second, as 2026-11-24T18:00:00Z; a text that is no time stays as it is."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return str(value)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
