"""A process that stands for election and tells on its standard output when it may write.

python lease_candidate.py KUBECONFIG NAMESPACE IDENTITY: one JSON object a line, "may" true or false with the moments
just before and just after the question, then "ended" with what ended it.
"""

from __future__ import annotations

import asyncio
import json
import sys

import structlog

from irsa_manager.kube.client import Kube
from irsa_manager.kube.lease import LeaderElector, LeadershipLost, steady_clock


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main(kubeconfig: str, namespace: str, identity: str) -> None:
    async with Kube.connect(kubeconfig) as kube:
        elector = LeaderElector(
            kube, namespace, identity=identity, lease_duration=8, renew_deadline=6, retry_period=0.3
        )

        async def work() -> None:
            while True:
                before = steady_clock()
                may = elector.valid()
                say(before=before, may=may, after=steady_clock())
                await asyncio.sleep(0.02)

        say(standing=True)
        try:
            await elector.run(work)
        except LeadershipLost as error:
            say(ended=type(error).__name__, may_still=elector.valid())


structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(main(*sys.argv[1:]))
