"""`irsa-manager controller`: the operator. Flags and environment as users of the Go program know them."""

from __future__ import annotations

from typing import Annotated

import typer

RUN = "How it runs"


def controller(
    leader_elect: Annotated[
        bool, typer.Option("--leader-elect", help="Let one of several replicas work at a time.", rich_help_panel=RUN)
    ] = False,
    metrics_bind_address: Annotated[
        str, typer.Option(help="Where to serve /metrics; 0 turns it off.", rich_help_panel=RUN)
    ] = ":8080",
    health_probe_bind_address: Annotated[
        str, typer.Option(help="Where to serve /healthz and /readyz; 0 turns it off.", rich_help_panel=RUN)
    ] = ":8081",
    sweep_interval: Annotated[
        str,
        typer.Option(help="How often the whole account is read and drift repaired; 1s or more.", rich_help_panel=RUN),
    ] = "60s",
    namespace: Annotated[
        str,
        typer.Option(help="The operator's namespace. Default: the pod's own, else irsa-manager-system."),
    ] = "",
    setup: Annotated[
        str, typer.Option(metavar="NS/NAME", help="The IRSASetup that counts. Default: the operator's namespace's.")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Objects worked on at a time.")] = 8,
    aws_calls_per_second: Annotated[float, typer.Option(min=0.1, max=1000, help="AWS calls a second at most.")] = 20.0,
    kubeconfig: Annotated[str, typer.Option(help="Default: $KUBECONFIG, ~/.kube/config, or the pod's own.")] = "",
    context: Annotated[str, typer.Option(help="The kubeconfig's context to use.")] = "",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    log_format: Annotated[str, typer.Option(help="json or text. Default: text on a terminal, else json.")] = "",
) -> None:
    """Run the operator until it is stopped.

    AWS: the environment as for every AWS SDK (AWS_REGION, AWS_ACCESS_KEY_ID, ..., AWS_ENDPOINT_URL); AWS_ROLE_ARN
    without a web identity token file is a role to switch to.
    """
    import asyncio
    import os

    from irsa_manager.aws.credentials import AwsSettings
    from irsa_manager.cli.durations import parse_duration
    from irsa_manager.cli.logs import configure_logs
    from irsa_manager.controller.operator import Settings
    from irsa_manager.controller.serve import parse_address
    from irsa_manager.kube.operator_namespace import operator_namespace

    configure_logs(log_level, log_format, for_good=True)
    settings = Settings(
        namespace=operator_namespace(_namespace(namespace)),
        aws=AwsSettings.from_environment(os.environ),
        setup=_setup(setup),
        leader_elect=leader_elect,
        metrics=parse_address("--metrics-bind-address", metrics_bind_address),
        health=parse_address("--health-probe-bind-address", health_probe_bind_address),
        sweep_interval=parse_duration("--sweep-interval", sweep_interval, at_least=1),
        workers=workers,
        calls_per_second=aws_calls_per_second,
    )
    asyncio.run(_run(settings, kubeconfig or None, context or None))


def _namespace(text: str) -> str:
    import re

    from irsa_manager.api.errors import UsageError
    from irsa_manager.api.grammar import LABEL

    if text and (
        len(text) > 63 or not re.fullmatch(LABEL, text)
    ):  # Kubernetes, "Object Names and IDs", RFC 1123 labels
        raise UsageError(
            "Usage",
            f"--namespace={text} is no namespace.",
            left="Nothing was started.",
            hint="Write a name as `kubectl get namespaces` shows it.",
        )
    return text


def _setup(text: str) -> str:
    from irsa_manager.api.errors import UsageError

    if text and (text.count("/") != 1 or text.startswith("/") or text.endswith("/")):
        raise UsageError(
            "Usage",
            f"--setup={text} names no IRSASetup.",
            left="Nothing was started.",
            hint="Write NAMESPACE/NAME.",
        )
    return text


async def _run(settings: object, kubeconfig: str | None, context: str | None) -> None:
    import asyncio
    import signal

    from irsa_manager.controller.operator import Operator, Settings
    from irsa_manager.kube.client import Kube

    assert isinstance(settings, Settings)  # noqa: S101  (typed as object so that --help needs no heavy import)
    loop = asyncio.get_running_loop()
    async with Kube.connect(kubeconfig, context) as kube:
        work = asyncio.create_task(Operator(settings, kube).run(), name="operator")
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            if not work.cancelled():
                raise
