"""What a sweep of N roles costs: CPU, memory and how long it keeps the event loop from other work.

    python bench/snapshot.py [N] [--page-size M]

Serves N roles as IAM's query protocol puts them (2 policies and 2 tags a role, a trust policy of one ServiceAccount)
from a process of its own on 127.0.0.1, and reads them through irsa_manager.aws with our parser and with botocore's.
The served answers are made here, so the figures are about the reader: IAM itself is slower to answer.
"""

from __future__ import annotations

import argparse
import asyncio
import http.server
import json
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qs, quote

from rich.console import Console
from rich.table import Table

from irsa_manager.aws.credentials import AwsKeys, AwsSettings, base_session
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import client_config, open_aws
from irsa_manager.aws.snapshot import sweep

TICK = 0.001
"""Seconds between two looks at the loop's clock; what is missing beyond it is a stall."""


def role_xml(number: int) -> str:
    host = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE0EXAMPLE0EXAMPLE0EXAMPLE0"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "IrsaManager" + secrets.token_hex(20),
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{host}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{host}:aud": "sts.amazonaws.com",
                        f"{host}:sub": f"system:serviceaccount:namespace-{number}:name",
                    }
                },
            }
        ],
    }
    policies = "".join(
        f"<member><PolicyName>{name}</PolicyName><PolicyArn>arn:aws:iam::aws:policy/{name}</PolicyArn></member>"
        for name in ("AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess")
    )
    tags = "".join(f"<member><Key>team</Key><Value>t{number}-{part}</Value></member>" for part in "ab")
    return (
        f"<member><Path>/</Path><RoleName>role-{number}</RoleName><RoleId>AROA{number:017d}</RoleId>"
        f"<Arn>arn:aws:iam::111122223333:role/role-{number}</Arn><CreateDate>2026-11-24T18:00:00Z</CreateDate>"
        f"<AssumeRolePolicyDocument>{quote(json.dumps(trust))}</AssumeRolePolicyDocument><InstanceProfileList/>"
        f"<RolePolicyList/><AttachedManagedPolicies>{policies}</AttachedManagedPolicies><Tags>{tags}</Tags>"
        "<RoleLastUsed><LastUsedDate>2026-11-24T17:00:00Z</LastUsedDate><Region>eu-west-1</Region></RoleLastUsed></member>"
    )


def serve(count: int) -> None:
    """Answer GetAccountAuthorizationDetails for `count` roles until the parent is gone; prints the port first."""
    roles = [role_xml(number) for number in range(count)]
    pages: dict[tuple[int, int], bytes] = {}

    def page(start: int, size: int) -> bytes:
        end = start + size
        more = f"<Marker>{end}</Marker>" if end < count else ""
        more += f"<IsTruncated>{str(end < count).lower()}</IsTruncated>"
        name = "GetAccountAuthorizationDetails"
        return (
            f'<{name}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{name}Result>{more}<RoleDetailList>'
            f"{''.join(roles[start:end])}</RoleDetailList></{name}Result>"
            f"<ResponseMetadata><RequestId>bench</RequestId></ResponseMetadata></{name}Response>"
        ).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            key = (int(asked.get("Marker", ["0"])[0]), int(asked["MaxItems"][0]))
            if key not in pages:
                pages[key] = page(*key)
            body = pages[key]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: one line a page would be all that one sees."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


async def worst_gap(stop: asyncio.Event) -> float:
    """The longest time in seconds that the loop took to come back, beyond TICK."""
    worst, before = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(TICK)
        now = time.perf_counter()
        worst, before = max(worst, now - before - TICK), now
    return worst


async def by_us(settings: AwsSettings, page_size: int) -> AsyncIterator[int]:
    """The number of roles of one sweep after the other."""
    async with open_aws(settings, pacer=Pacer(1000)) as aws:
        while True:
            yield len((await sweep(aws, descriptions=False, page_size=page_size)).roles)


async def by_botocore(settings: AwsSettings, page_size: int) -> AsyncIterator[int]:
    """The same through botocore's parser, with all of its dictionaries kept, as a snapshot would."""
    where = {"region_name": settings.region, "endpoint_url": settings.endpoint_url, "config": client_config()}
    async with base_session(settings).create_client("iam", **where) as iam:
        while True:
            roles: dict[str, object] = {}
            answer: dict[str, Any] = {"IsTruncated": True}
            while answer["IsTruncated"]:
                marker = {"Marker": answer["Marker"]} if "Marker" in answer else {}
                answer = await iam.get_account_authorization_details(Filter=["Role"], MaxItems=page_size, **marker)
                roles.update((role["RoleName"].lower(), role) for role in answer["RoleDetailList"])
            yield len(roles)


async def measure(settings: AwsSettings, parser: str, page_size: int) -> tuple[int, float, float, float]:
    """Roles, wall seconds, CPU seconds (all threads) and the worst gap, of the second of two sweeps."""
    sweeps = (by_us if parser == "ours" else by_botocore)(settings, page_size)
    async with aclosing(sweeps):
        await anext(sweeps)
        stop = asyncio.Event()
        gaps = asyncio.create_task(worst_gap(stop))
        await asyncio.sleep(0)
        wall, cpu = time.perf_counter(), time.process_time()
        roles = await anext(sweeps)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        stop.set()
        return roles, wall, cpu, await gaps


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("roles", type=int, nargs="?", default=5000)
    arguments.add_argument("--page-size", type=int, default=1000)
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--parser", choices=["ours", "botocore"], help=argparse.SUPPRESS)
    arguments.add_argument("--endpoint", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.serve:
        serve(options.roles)
        return
    if options.parser:
        settings = AwsSettings(region="us-east-1", endpoint_url=options.endpoint, keys=AwsKeys("AKIABENCH", "bench"))
        roles, wall, cpu, gap = asyncio.run(measure(settings, options.parser, options.page_size))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([roles, wall, cpu, gap, peak]))
        return
    me = [sys.executable, __file__, str(options.roles), "--page-size", str(options.page_size)]
    server = subprocess.Popen([*me, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}"
        table = Table("parser", "roles", "wall s", "CPU s", "% of 60 s", "worst loop gap ms", "peak RSS MB")
        for parser in ("ours", "botocore"):
            done = subprocess.run(
                [*me, "--parser", parser, "--endpoint", endpoint], check=True, capture_output=True, text=True
            )
            roles, wall, cpu, gap, peak = json.loads(done.stdout.splitlines()[-1])
            table.add_row(
                parser, f"{roles}", f"{wall:.2f}", f"{cpu:.2f}", f"{cpu / 0.6:.1f}", f"{gap * 1000:.0f}", f"{peak:.0f}"
            )
        Console().print(table)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
