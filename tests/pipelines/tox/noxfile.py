"""A session for each machine, as tox.ini has them."""

import nox

MACHINES = {"aarch64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf"}


@nox.session
@nox.parametrize("machine", [*MACHINES])
def tests(session: nox.Session, machine: str) -> None:
    """Compiles the program for the machine and runs its tests there."""
    program = f"{session.create_tmp()}/machine"
    session.install("pytest")
    session.run(f"{MACHINES[machine]}-gcc", "machine.c", "-o", program, external=True)
    variables = {"EMULATOR": f"qusr-{machine}", "PROGRAM": program}
    session.run("pytest", "-q", "checks.py", env=variables)
