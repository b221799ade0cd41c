"""The course of a command: within its time, no louder than wanted, and with what was left said at its end."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

from irsa_manager.api.errors import IrsaError, UsageError
from irsa_manager.cli.course import Course
from irsa_manager.cli.options import Manner

SHORT = Manner(timeout="100ms")


async def never() -> int:
    await asyncio.Event().wait()
    return 0


def test_work_that_is_done_in_time_is_its_exit_status() -> None:
    async def work(_: Course) -> int:
        return 2

    assert Course(SHORT).run(work) == 2


def test_time_that_is_up_is_told_with_what_was_waited_for_and_what_was_left() -> None:
    async def work(course: Course) -> int:
        course.at("the cluster", "2 of 3 were written.")
        course.at("the controller")
        return await never()

    with pytest.raises(IrsaError) as told:
        Course(SHORT).run(work)
    assert told.value.code == "TimedOut"
    assert told.value.message == "Not done within 0.1 s; it was waiting for the controller."
    assert told.value.left == "2 of 3 were written."
    assert "--timeout" in told.value.hint


def test_a_time_out_of_the_works_own_is_no_end_of_the_time() -> None:
    async def work(_: Course) -> int:
        async with asyncio.timeout(0):
            return await never()

    with pytest.raises(TimeoutError):
        Course(Manner()).run(work)


@pytest.mark.parametrize("text", ["1", "0s", "soon", "-1s"])
def test_a_time_that_can_not_be_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        Course(Manner(timeout=text))


def test_quiet_and_verbose_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="-q and -v"):
        Course(Manner(quiet=True, verbose=True))


def test_what_is_not_the_result_is_said_on_standard_error_and_not_at_all_if_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Course(Manner()).aside("Next: this", "and that")
    Course(Manner(quiet=True)).aside("Next: this")
    Course(Manner()).aside()
    assert capsys.readouterr() == ("", "Next: this\nand that\n")


SCRIPT = """
import asyncio, os
from irsa_manager.cli.course import Course
from irsa_manager.cli.options import Manner

async def work(course):
    course.at("somebody", "One was written.")
    os.kill(os.getpid(), {signal})
    await asyncio.Event().wait()

Course(Manner()).run(work)
"""


def test_who_interrupts_it_is_told_what_was_left() -> None:
    script = SCRIPT.format(signal=int(signal.SIGINT))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.startswith("left   One was written.\n")
    assert "KeyboardInterrupt" in done.stderr  # main.py makes a word of it


ASKING = """
import asyncio, sys
from irsa_manager.cli.course import Course
from irsa_manager.cli.options import Manner

async def work(course):
    course.confirm("The test", "Go on?", yes=False)
    await asyncio.sleep(0)
    print("went on")
    return 0

Course(Manner(timeout="100ms")).run(work)
"""


def at_a_terminal(react: Callable[[subprocess.Popen[bytes], int], object]) -> tuple[str, int]:
    """What the script says at a terminal, and its exit status. react: what is done once it has asked."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", ASKING], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    while b"[y/N]" not in text:
        text += os.read(ours, 1000)
    react(process, ours)
    with suppress(OSError):  # Linux's word for the end of a terminal
        while part := os.read(ours, 1000):
            text += part
    os.close(ours)
    return text.decode(), process.wait()


def test_thinking_about_an_answer_does_not_count() -> None:
    def think(process: subprocess.Popen[bytes], terminal: int) -> None:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)  # longer than --timeout
        os.write(terminal, b"y\n")

    text, status = at_a_terminal(think)
    assert "went on" in text
    assert status == 0


def test_an_interruption_ends_the_question_at_once() -> None:
    text, status = at_a_terminal(lambda process, _: process.send_signal(signal.SIGINT))
    assert "went on" not in text
    assert "KeyboardInterrupt" in text
    assert status != 0
