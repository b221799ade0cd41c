"""`irsa-manager controller` whose namespace isn't there, or can't be: what it says, and that it tried nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from irsa_manager.sandbox.controlplane import ControlPlane

OFF = ("--metrics-bind-address=0", "--health-probe-bind-address=0", "--log-format=text")


def controller(control_plane: ControlPlane, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run it to its own end; its AWS isn't there, since it must not come so far."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, "-m", "irsa_manager", "controller", f"--kubeconfig={control_plane.kubeconfig}", *OFF, *flags],
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_namespace_that_is_missing_is_said_with_the_command_that_makes_it(control_plane: ControlPlane) -> None:
    done = controller(control_plane, "--namespace=nosuchns")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-5:] == [
        "error  KubernetesRefused: Namespace nosuchns, the operator's own, isn't there.",
        "object Namespace nosuchns",
        "left   Nothing was written to AWS.",
        "hint   Make it: kubectl create namespace nosuchns; or name the operator's own with --namespace.",
        "more   irsa-manager help KubernetesRefused",
    ]


@pytest.mark.parametrize("name", ["A B", "team.a", "-a", "a" * 64, "a/b"])
def test_a_namespace_that_can_not_be_is_refused(control_plane: ControlPlane, name: str) -> None:
    done = controller(control_plane, f"--namespace={name}")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error  Usage: --namespace={name} is no namespace.",
        "left   Nothing was started.",
        "hint   Write a name as `kubectl get namespaces` shows it.",
        "more   irsa-manager help Usage",
    ]
