"""The command `qusr-binfmt`."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from qusr import installed
from qusr.binfmt import BinfmtError, carry, launcher, namespace, registry
from qusr.binfmt.registry import Entry, Registry

_MODULE = "the kernel has no binfmt_misc (modprobe binfmt_misc)"


def main(words: list[str] | None = None) -> NoReturn:
    """Entry point. `words`: not the ones of the command line."""
    try:
        status = _main(sys.argv[1:] if words is None else words)
    except BinfmtError as error:
        print(f"qusr-binfmt: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        name = error.filename or "error"
        print(f"qusr-binfmt: {os.fsdecode(name)}: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qusr-binfmt", description="Has the kernel run programs of other machines with qusr."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, *, guests: bool) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        if guests:
            added.add_argument("guests", nargs="*", metavar="ARCH", help="all where none is named")
        return added

    status = command("status", "show who runs the programs of each guest", guests=True)
    status.add_argument("--json", action="store_true", help="for programs")
    install = command("install", "register qusr (root)", guests=True)
    uninstall = command("uninstall", "take away what install did (root)", guests=True)
    show = command("print", "print the registrations", guests=True)
    form = show.add_mutually_exclusive_group()
    form.add_argument("--systemd", action="store_true", help="as a file for /etc/binfmt.d")
    form.add_argument("--debian", action="store_true", help="as formats of update-binfmts")
    run = command("run", "run a command with a registration of its own, no root", guests=False)
    run.add_argument("-L", dest="root", metavar="ROOT", type=Path, help="inside this root")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND...")
    for name, text in (
        ("bind", "show qusr's files inside a root, for registrations with --fixed (root)"),
        ("unbind", "undo bind (root)"),
    ):
        command(name, text, guests=False).add_argument("root", metavar="ROOT", type=Path)
    for added in (install, show, run):
        added.add_argument(
            "--credentials", action="store_true", help="set-user-ID programs get their rights (C)"
        )
        added.add_argument("--preserve-argv0", action="store_true", help="keep argv[0] (P)")
        added.add_argument("--fixed", action="store_true", help=(
            "also in chroots, containers (F); always where qusr-static is registered"))  # fmt: skip
        added.add_argument("--dynamic", action="store_true", help=(
            "register what needs this installation's files, not qusr-static"))  # fmt: skip
    for added in (install, show, run):
        added.add_argument(
            "--as-qemu",
            action="store_true",
            help="under qemu's names (qemu-ARCH), for tools that look for them",
        )
    for added in (install, uninstall, show):
        added.add_argument(
            "--interpreter", type=Path, default=launcher.default_path(), metavar="PATH",
            help="where the registered executable is (%(default)s)",
        )  # fmt: skip
    install.add_argument("--force", action="store_true", help="also before other handlers")
    return parser


def _main(words: list[str]) -> int:
    options = _parser().parse_args(words)
    if hasattr(options, "dynamic"):
        _settle(options)
    if options.command == "status":
        return _status(registry.guests(options.guests), as_json=options.json)
    if options.command == "install":
        return _install(_chosen(options), options)
    if options.command == "uninstall":
        return _uninstall(registry.guests(options.guests), options.interpreter.absolute())
    if options.command == "print":
        return _print(_chosen(options), options)
    if options.command == "run":
        return _run(options)
    root = options.root.resolve()
    if installed.FOLDER is None:
        raise BinfmtError(f"{options.command}: this executable needs no other file in a root")
    if options.command == "bind":
        carry.bring(root)
    else:
        carry.take_away(root)
    return 0


def _settle(options: argparse.Namespace) -> None:
    """Which executable it is to be, and what follows from that."""
    if options.dynamic and True not in launcher.kinds():
        raise BinfmtError("--dynamic: there is nothing but this executable")
    options.dynamic = options.dynamic or False not in launcher.kinds()
    # The kernel keeps it open, and it needs nothing else.
    options.fixed = options.fixed or not options.dynamic


def _chosen(options: argparse.Namespace) -> list[str]:
    """The guests that were named, or all that the executable runs."""
    guests = registry.guests(options.guests)
    if options.dynamic:
        return guests
    able = launcher.without_unicorn(guests)
    others = ", ".join(guest for guest in guests if guest not in able)
    if others and options.guests:
        raise BinfmtError(f"{others}: only the Unicorn core runs it, for which --dynamic is needed")
    if others:
        print(f"qusr-binfmt: without {others}: only the Unicorn core runs them (--dynamic)",
              file=sys.stderr)  # fmt: skip
    return able


def _flags(options: argparse.Namespace) -> str:
    """O always: it costs nothing and unreadable programs work."""
    letters: str = "O" + "C" * options.credentials
    letters += "P" * options.preserve_argv0 + "F" * options.fixed
    return letters


# --- status ---


def _status(guests: list[str], *, as_json: bool) -> int:
    known = Registry()
    mounted = known.mounted
    enabled = mounted and known.enabled
    handlers = {guest: [_described(entry) for entry in known.handlers(guest)] for guest in guests}
    if as_json:
        print(json.dumps({"mounted": mounted, "enabled": enabled, "guests": handlers}, indent=2))
        return 0
    if not mounted:
        print(f"binfmt_misc: not mounted at {registry.MOUNT_POINT}")
    else:
        print(f"binfmt_misc: {'enabled' if enabled else 'disabled'}")
    for guest, found in handlers.items():
        rows = [
            f"{entry['name']}: {entry['interpreter']} [{entry['flags']}]"
            + (", this qusr" if entry["ours"] else "")
            + ("" if entry["enabled"] else ", disabled")
            for entry in found
        ]
        print(f"{guest:<12}" + ("; ".join(rows) or "no handler"))
    return 0


def _described(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name,
        "enabled": entry.enabled,
        "interpreter": entry.interpreter,
        "flags": entry.flags,
        "ours": launcher.is_ours(entry.interpreter),
    }


# --- install and uninstall ---


def _install(guests: list[str], options: argparse.Namespace) -> int:
    known = Registry()
    _ensure_mounted(known)
    path = options.interpreter.absolute()
    taken = {entry.name for entry in known.entries()}
    for guest in guests:
        others = [entry for entry in known.handlers(guest) if entry.enabled]
        foreign = [entry for entry in others if entry.interpreter != str(path)]
        if foreign and not options.force:
            who = ", ".join(f"{entry.name} ({entry.interpreter})" for entry in foreign)
            raise BinfmtError(f"{guest} programs have a handler: {who}; --force goes before it")
        name = registry.entry_name(guest, as_qemu=options.as_qemu)
        if name in taken and (foreign or not others):
            raise BinfmtError(
                f"an entry {name} of another interpreter is there: uninstall that first"
            )
        # Before anything is changed.
        registry.line(guest, str(path), _flags(options), as_qemu=options.as_qemu)
    if options.credentials and options.dynamic:
        _check_safe()
    launcher.write(path, dynamic=options.dynamic)
    for guest in guests:
        ours = {registry.entry_name(guest, as_qemu=as_qemu) for as_qemu in (False, True)}
        for entry in known.entries():
            if entry.name in ours and entry.interpreter == str(path):
                known.remove(entry)  # again, with the flags of now
        known.add(guest, str(path), _flags(options), as_qemu=options.as_qemu)
    return 0


def _check_safe() -> None:
    """With the flag C whoever can change these files becomes root.

    (With F the kernel keeps the executable itself open.)
    """
    for path in launcher.Host().folders():
        for part in (path, *path.parents):
            info = part.stat()
            sticky = part.is_dir() and info.st_mode & 0o1000
            if info.st_uid != 0 or (info.st_mode & 0o022 and not sticky):
                raise BinfmtError(f"--credentials: {part} can be changed by others than root")


def _ensure_mounted(known: Registry) -> None:
    if known.mounted:
        return
    if os.geteuid() != 0:
        raise BinfmtError("binfmt_misc is not mounted, and only root may (or use 'run')")
    _mount()


def _mount() -> None:
    try:
        namespace.mount("binfmt_misc", registry.MOUNT_POINT, "binfmt_misc")
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.ENOENT):
            raise BinfmtError(_MODULE) from None
        if error.errno == errno.EPERM:
            raise BinfmtError(
                f"no binfmt_misc of one's own: Linux {os.uname().release} does not allow it "
                "(it takes 6.7, and no security module against it)"
            ) from None
        raise BinfmtError(f"mounting binfmt_misc: {error.strerror}") from None


def _uninstall(guests: list[str], path: Path) -> int:
    known = Registry()
    if not known.mounted:
        return 0
    entries = {entry.name: entry for entry in known.entries()}
    names = [
        registry.entry_name(guest, as_qemu=as_qemu) for guest in guests for as_qemu in (False, True)
    ]
    for name in names:
        entry = entries.get(name)
        if entry is None:
            continue
        if entry.interpreter != str(path) and name.startswith("qemu-"):
            continue  # qemu's own
        if entry.interpreter != str(path):
            print(
                f"qusr-binfmt: {entry.name} is left: its interpreter is {entry.interpreter}",
                file=sys.stderr,
            )
            continue
        known.remove(entry)
    if all(entry.interpreter != str(path) for entry in known.entries()):
        path.unlink(missing_ok=True)
        try:
            path.parent.rmdir()
        except OSError:
            pass  # it holds other files
    return 0


# --- print ---


def _print(guests: list[str], options: argparse.Namespace) -> int:
    path = str(options.interpreter.absolute())
    if not os.path.exists(path):
        print(f"qusr-binfmt: {path} is not there yet: install makes it", file=sys.stderr)
    if options.systemd:
        print("# qusr: for /etc/binfmt.d/qusr.conf; qusr-binfmt print --systemd")
    for guest in guests:
        if options.debian:
            print(_debian(guest, path, options))
        else:
            print(registry.line(guest, path, _flags(options), as_qemu=options.as_qemu))
    return 0


def _debian(guest: str, path: str, options: argparse.Namespace) -> str:
    """A format file of update-binfmts(8)."""
    rows = [
        f"# /usr/share/binfmts/{registry.entry_name(guest, as_qemu=options.as_qemu)}",
        "package qusr",
        f"interpreter {path}",
        "offset 0",
        f"magic {registry.escaped(registry.magic(guest))}",
        f"mask {registry.escaped(registry.mask(guest))}",
        f"credentials {'yes' if options.credentials else 'no'}",
        f"preserve {'yes' if options.preserve_argv0 else 'no'}",
        f"fix_binary {'yes' if options.fixed else 'no'}",
        "",
    ]
    return "\n".join(rows)


# --- run ---


def _run(options: argparse.Namespace) -> int:
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not command:
        raise BinfmtError("run: no command (qusr-binfmt run [-L ROOT] -- COMMAND)")
    root = None if options.root is None else carry.Root(options.root)
    guests = registry.guests([])
    if not options.dynamic:
        guests = launcher.without_unicorn(guests)
    # F always: the file can go once it is registered, and chroots work.
    options.fixed = True
    flags = _flags(options)

    def setup() -> None:
        _mount()
        with tempfile.TemporaryDirectory(prefix="qusr-") as folder:
            path = None if options.dynamic else launcher.in_place()
            if path is None or not registry.can_be_registered(str(path)):
                path = Path(folder) / "qusr-interp"
                launcher.write(path, dynamic=options.dynamic)
            for guest in guests:
                Registry().add(guest, str(path), flags, as_qemu=options.as_qemu)
        if root is not None:
            root.enter(with_files=options.dynamic)

    try:
        if root is not None:
            root.make_places(with_files=options.dynamic)
        status = namespace.run(setup, command, become_root=root is not None)
    finally:
        if root is not None:
            root.undo()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)
    return os.waitstatus_to_exitcode(status)
