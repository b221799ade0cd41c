"""Names of objects on the command line, tables, and the question before something is written."""

from __future__ import annotations

import pytest

from irsa_manager.api.errors import UsageError
from irsa_manager.aws.credentials import AwsKeys, AwsSettings
from irsa_manager.cli.options import Where
from irsa_manager.cli.place import aws_settings, confirm, one_key


@pytest.mark.parametrize(
    ("target", "namespace", "found"),
    [("a/b", "", ("a", "b")), ("b", "a", ("a", "b")), ("a/b", "a", ("a", "b"))],
)
def test_an_object_is_named_in_two_ways(target: str, namespace: str, found: tuple[str, str]) -> None:
    assert one_key(target, namespace) == found


@pytest.mark.parametrize(
    ("target", "namespace", "why"),
    [
        ("b", "", "names no object"),
        ("/b", "", "names no object"),
        ("a/", "", "names no object"),
        ("a/b/c", "", "names no object"),
        ("a/b", "c", "another namespace than -n"),
    ],
)
def test_what_names_no_object_is_refused(target: str, namespace: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        one_key(target, namespace)


def test_without_a_terminal_nothing_is_asked_and_nothing_done() -> None:
    # pytest's standard input is no terminal.
    confirm("The release", "Release 1?", yes=True)
    with pytest.raises(UsageError) as refused:
        confirm("The release", "Release 1?", yes=False)
    assert refused.value.code == "ConfirmationRequired"
    assert refused.value.message.startswith("The release isn't done")
    assert "--yes" in refused.value.hint


def test_options_go_before_the_environment_and_a_profile_brings_its_own_credentials() -> None:
    found = AwsSettings(region="eu-west-1", endpoint_url="http://a", role_arn="arn:x", keys=AwsKeys("id", "secret"))
    assert aws_settings(Where(), found) == found
    other = aws_settings(Where(region="us-east-1", endpoint_url="http://b", profile="p"), found)
    assert other == AwsSettings(region="us-east-1", endpoint_url="http://b", profile="p")
