"""`irsa-manager demo`: the whole chain on this machine, from nothing to nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from irsa_manager.sandbox.binaries import Binaries
    from irsa_manager.sandbox.demo.play import Played
    from irsa_manager.sandbox.demo.steps import Step

FOREIGN = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CA_BUNDLE", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def demo() -> int:
    """Show the whole chain: a cluster, an AWS, one IRSA, real tokens, and who is refused.

    Needs no account and no cluster, and leaves nothing behind. Exit status 0 if everything was as it should be, 2 if
    something wasn't, 1 for an error.
    """
    from irsa_manager.cli.logs import configure_logs
    from irsa_manager.sandbox.finder import find
    from irsa_manager.sandbox.progress import progress_on

    configure_logs("error")
    binaries = find(progress_on(sys.stderr))
    own_environment(os.environ)
    from irsa_manager.sandbox.demo.steps import STEPS

    try:
        played = asyncio.run(show(binaries, STEPS))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("Stopped; nothing of the sandbox is left.", file=sys.stderr)
        raise KeyboardInterrupt from None
    return status(played)


def status(played: Played) -> int:
    """The exit status."""
    return 0 if played.as_expected else 2


async def show(binaries: Binaries, steps: Sequence[Step]) -> Played:
    """Play the steps and show them on stdout. Raises IrsaError; CancelledError for a signal of SIGNALS."""
    from irsa_manager.cli.demo_screen import screen_for
    from irsa_manager.kube.definitions import install
    from irsa_manager.sandbox.demo.play import play

    loop, playing = asyncio.get_running_loop(), asyncio.current_task()
    assert playing is not None  # noqa: S101  (for the type checker)

    def stop() -> None:
        # Once: what tidies up isn't to be interrupted too, however impatient the user is.
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        playing.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    with screen_for(sys.stdout, steps) as screen:
        played = await play(binaries, install, screen, steps)
        screen.finish(played)
        return played


def own_environment(environ: MutableMapping[str, str]) -> None:
    """Let nothing of the user's AWS configuration, nor a proxy, come between the demo and 127.0.0.1."""
    for name in FOREIGN:
        environ.pop(name, None)
    environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    for name in ("NO_PROXY", "no_proxy"):
        environ[name] = ",".join(part for part in (environ.get(name, ""), "127.0.0.1") if part)
