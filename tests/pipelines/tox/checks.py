"""Tests of a program of another machine."""

import os
import subprocess


def test_it_runs_on_its_machine() -> None:
    """The machine is the one that the emulator is for."""
    words = [os.environ["EMULATOR"], os.environ["PROGRAM"]]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    machine = os.environ["EMULATOR"].removeprefix("qusr-")
    assert done.stdout.strip() == {"arm": "armv7l"}.get(machine, machine)
