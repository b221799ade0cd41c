"""What an answer becomes: any status and any body give an error with a text for people."""

from __future__ import annotations

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from structlog.testing import capture_logs

from irsa_manager.api.errors import KubernetesError
from irsa_manager.kube.errors import (
    KubeAlreadyExists,
    KubeConflict,
    KubeDenied,
    KubeExpired,
    KubeForbidden,
    KubeInvalid,
    KubeNotFound,
    KubeThrottled,
    KubeUnavailable,
    Status,
    parse_status,
    refused,
)
from irsa_manager.kube.outage import EVERY_SECONDS, Outage


def error_for(status: Status, retry_after: float | None = None) -> KubernetesError:
    return refused(
        status, verb="get", resource="pods", target="Pod n/a", server="https://server", retry_after=retry_after
    )


@given(st.integers(400, 599), st.binary(max_size=300))
def test_any_answer_gives_an_error_with_a_text(code: int, body: bytes) -> None:
    status = parse_status(body, code)
    error = error_for(status)
    assert error.message
    assert len(error.message) < 1500
    assert error.object == "Pod n/a"


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", KubeInvalid),
        (401, "Unauthorized", KubeForbidden),
        (403, "Forbidden", KubeForbidden),
        (404, "NotFound", KubeNotFound),
        (409, "AlreadyExists", KubeAlreadyExists),
        (409, "Conflict", KubeConflict),
        (410, "Expired", KubeExpired),
        (422, "Invalid", KubeInvalid),
        (429, "TooManyRequests", KubeThrottled),
        (500, "InternalError", KubeUnavailable),
        (503, "ServiceUnavailable", KubeUnavailable),
        (504, "Timeout", KubeUnavailable),
    ],
)
def test_which_error(code: int, reason: str, kind: type[KubernetesError]) -> None:
    assert type(error_for(Status(message="said", reason=reason, code=code))) is kind


def test_how_long_to_wait() -> None:
    def wait(body: bytes, header: float | None) -> float:
        error = error_for(parse_status(body, 429), header)
        assert isinstance(error, KubeThrottled)
        return error.retry_after

    assert wait(b"{}", None) == 1
    assert wait(b"{}", 7) == 7
    assert wait(b'{"details":{"retryAfterSeconds":3}}', None) == 3
    assert wait(b"{}", 0) > 0


def test_a_page_of_a_proxy_is_cut_to_its_first_line() -> None:
    status = parse_status(b"  <html>\n<body>Bad gateway</body>", 502)
    assert (status.message, status.code) == ("<html>", 502)
    assert parse_status(b"", 502).message == "HTTP 502"


def test_the_object_is_not_dumped_into_the_message() -> None:
    causes = [
        {"field": "spec.iamRole", "message": 'Invalid value: "object": name is needed'},
        {"field": "spec.iamRole", "message": 'Invalid value: "object": name is needed'},
        {"field": "<nil>", "message": "some rules were not checked"},
    ]
    body = msgspec.json.encode({"code": 422, "reason": "Invalid", "message": "long", "details": {"causes": causes}})
    error = error_for(parse_status(body, 422))
    assert isinstance(error, KubeInvalid)
    assert error.causes == ("spec.iamRole: name is needed", "some rules were not checked")
    assert str(error) == (
        "Pod n/a was refused: spec.iamRole: name is needed; some rules were not checked. Nothing was changed."
    )


def test_an_outage_is_said_once_a_minute() -> None:
    now = [0.0]
    outage = Outage("The thing", clock=lambda: now[0])
    with capture_logs() as logs:
        outage.over()
        for second in range(int(2 * EVERY_SECONDS) + 1):
            now[0] = float(second)
            outage.failed(OSError("away"))
        assert outage.ongoing
        outage.over()
        outage.over()
        outage.failed(OSError("again"))
    assert [entry["event"] for entry in logs] == [
        "The thing can't be used; trying on",
        "The thing still can't be used",
        "The thing still can't be used",
        "The thing can be used again",
        "The thing can't be used; trying on",
    ]


def test_a_kind_that_is_not_installed_is_told_apart_from_an_object_that_is_not_there() -> None:
    error = refused(
        Status("404 page not found", "", 404), verb="list", resource="irsas", target="IRSA", server="https://server"
    )
    assert isinstance(error, KubeNotFound)
    assert error.message == "https://server doesn't know irsas: 404 page not found."
    assert "irsa-manager crds apply" in error.hint


@pytest.mark.parametrize(
    ("code", "message", "who", "policy"),
    [
        (
            403,
            """irsas "x" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: No. Ask.""",
            "ValidatingAdmissionPolicy p",
            "p",
        ),
        (
            422,
            """x is invalid: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: No. Ask.""",
            "policy",
            "p",
        ),
        (400, 'admission webhook "w.example.test" denied the request: No. Ask.', "webhook w.example.test", ""),
        (403, 'admission webhook "w.example.test" denied the request', "webhook w.example.test", ""),
    ],
)
def test_a_refusal_at_admission_is_no_missing_right(code: int, message: str, who: str, policy: str) -> None:
    error = error_for(Status(message=message, reason="Forbidden", code=code))
    assert isinstance(error, KubeDenied)
    assert who.lower() in error.message.lower()
    assert (error.policy, error.said) == (policy, "No. Ask." if "No." in message else "it doesn't say why")
    assert "Grant" not in error.hint


def test_a_namespace_that_is_not_there_is_named_with_the_command_that_makes_it() -> None:
    status = Status('namespaces "team-a" not found', "NotFound", 404)
    error = refused(status, verb="create", resource="irsas", target="IRSA team-a/web", server="https://api")
    assert error.message == "IRSA team-a/web can't be there: there is no namespace team-a."
    assert error.hint == "Make it: kubectl create namespace team-a"
