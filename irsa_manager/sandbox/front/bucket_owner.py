"""ExpectedBucketOwner: a bucket that isn't the named account's isn't touched.

Source: Amazon S3 User Guide, "Verifying bucket ownership with bucket owner condition": 403 AccessDenied.
"""

from __future__ import annotations

from irsa_manager.sandbox.front.answers import Answer, Refused
from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.request import AwsRequest


class BucketOwner:
    """A guard before S3."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def __call__(self, service: str, request: AwsRequest) -> Answer | None:
        """Refuse where the expected owner isn't the bucket's, also that of a copy's source.

        Raises:
            Refused: AccessDenied.

        """
        if service != "s3":
            return None
        source = request.headers.get("x-amz-copy-source", "").lstrip("/").partition("/")[0]
        expected = (
            (_bucket(request), request.headers.get("x-amz-expected-bucket-owner")),
            (source, request.headers.get("x-amz-source-expected-bucket-owner")),
        )
        for bucket, account in expected:
            owner = self._emulator.bucket_owner(bucket) if account is not None else None
            if owner is not None and owner[0] != account:
                raise Refused("AccessDenied", "Access Denied", 403)
        return None


def _bucket(request: AwsRequest) -> str:
    """The bucket that a request names, by its host or by the first part of its path."""
    if request.host.endswith(".localhost"):
        return request.host.partition(".")[0]
    return request.path.lstrip("/").partition("/")[0]
