"""qusr-binfmt with a real binfmt_misc: one of a private user namespace, Linux 6.7's."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qusr.binfmt import BinfmtError, registry
from qusr.binfmt.registry import Entry
from tests import emulators, namespaces
from tests.emulators import REPO
from tests.namespaces import MISC, OVERLAY, PRELUDE, shell

HELLO = REPO / "testbins" / "prebuilt"


@pytest.fixture(scope="module", autouse=True)
def allowed() -> None:
    namespaces.need_binfmt()


@pytest.fixture
def interp(tmp_path: Path) -> Path:
    return tmp_path / "qusr-interp"


@pytest.fixture(scope="module")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static program of an arm64 root that does what its argv[0] says."""
    copy = tmp_path_factory.mktemp("busybox") / "busybox-static"
    shutil.copy(emulators.debian_root("aarch64") / "usr/bin/busybox-static", copy)
    return copy


def test_programs_start_from_a_shell_and_from_make(interp: Path, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("all:\n\t@$(HELLO)/hello-arm && $(HELLO)/hello-aarch64\n")
    run = shell(
        'binfmt install --dynamic --interpreter "$1"\n'
        '"$2"/hello-arm && "$2"/hello-aarch64 | cat\n'
        'make -s -C "$3" HELLO="$2"',
        interp, HELLO, tmp_path,
    ).check()  # fmt: skip
    assert run.out == "Hello from arm!\nHello from aarch64!\n" * 2


def test_status_and_exit_codes(interp: Path, busybox: Path) -> None:
    script = """
        binfmt install --dynamic arm64 --interpreter "$1" --preserve-argv0
        "$2" false; echo $?
        "$2" sh -c 'kill -TERM $$'; echo $?
        binfmt status --json
    """
    run = shell(script, interp, busybox).check()
    first, second, rest = run.out.split("\n", 2)
    assert (first, second) == ("1", str(128 + 15))
    status = json.loads(rest)
    assert status["mounted"] and status["enabled"]
    assert status["guests"]["arm"] == []
    assert status["guests"]["aarch64"] == [
        {
            "name": "qusr-aarch64",
            "enabled": True,
            "interpreter": str(interp),
            "flags": "PO",
            "ours": True,
        }
    ]


def test_uninstall_undoes_exactly_install(interp: Path) -> None:
    script = f"""
        printf ':other:M::ABCD::/bin/false:' >{MISC}/register
        printf ':qusr-arm:M::EFGH::/bin/false:' >{MISC}/register
        ls {MISC}
        binfmt install --dynamic arm64 armeb --interpreter "$1"; ls {MISC} | wc -l
        binfmt uninstall --interpreter "$1"; ls {MISC}; ls "$1"
    """
    run = shell(script, interp)
    lines = run.out.split()
    before = ["other", "qusr-arm", "register", "status"]
    assert lines == [*before, "6", *before], run.describe()
    assert "qusr-arm is left: its interpreter is /bin/false" in run.err
    assert not interp.exists()


def test_another_handler_is_not_shadowed_unless_forced(interp: Path) -> None:
    entry = registry.line("aarch64", "/bin/false", "").replace("qusr-aarch64", "other")
    script = f"""
        printf '%s' '{entry}' >{MISC}/register
        binfmt install --dynamic --interpreter "$1"; echo $?; ls {MISC}
        binfmt install --dynamic arm --interpreter "$1"; echo $?
        binfmt install --dynamic arm64 --force --interpreter "$1"; echo $?
        "$2"/hello-aarch64
        binfmt uninstall --interpreter "$1"; ls {MISC}
    """
    run = shell(script, interp, HELLO).check()
    assert run.out.split("\n") == [
        "1", "other", "register", "status", "0", "0", "Hello from aarch64!",
        "other", "register", "status", "",
    ]  # fmt: skip
    assert run.err == (
        "qusr-binfmt: aarch64 programs have a handler: other (/bin/false); --force goes before it\n"
    )


def test_a_disabled_handler_is_nobody(interp: Path) -> None:
    entry = registry.line("arm", "/bin/false", "").replace("qusr-arm", "other")
    script = f"""
        printf '%s' '{entry}' >{MISC}/register && echo 0 >{MISC}/other
        binfmt install --dynamic arm --interpreter "$1" && "$2"/hello-arm
    """
    assert shell(script, interp, HELLO).check().out == "Hello from arm!\n"


def test_preserve_argv0(interp: Path, busybox: Path) -> None:
    """Busybox is what its argv[0] says; without the flag that is the file's path."""
    script = """
        binfmt install --dynamic arm64 --interpreter "$1" $3
        (exec -a uname "$2" -m); (exec -a echo "$2" "a  b" "" c)
    """
    run = shell(script, interp, busybox, "--preserve-argv0").check()
    assert run.out == "aarch64\na  b  c\n"
    assert "uname: applet not found" not in run.err
    run = shell(script, interp, busybox, "")
    assert run.out == "" and "applet not found" in run.err


def test_unreadable_programs_run(interp: Path, busybox: Path, tmp_path: Path) -> None:
    """Flag O. Without the capability that reads everything, root is its owner."""
    secret = tmp_path / "secret"
    shutil.copy(busybox, secret)
    secret.chmod(0o111)
    script = """
        binfmt install --dynamic arm64 --interpreter "$1" --preserve-argv0
        setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all bash -c '
            cat "$0" 2>&1 >/dev/null | sed "s/.*: //"; exec -a uname "$0" -m' "$2"
    """
    run = shell(script, interp, secret).check()
    assert run.out == "Permission denied\naarch64\n"


def test_ignored_signals_and_variables_arrive(interp: Path, busybox: Path) -> None:
    """What Python and the host's dynamic linker would take for themselves."""
    script = """
        binfmt install --dynamic arm64 --interpreter "$1"
        export LD_PRELOAD=/none.so PYTHONHOME=/none LD_LIBRARY_PATH=/none
        "$2" env | grep -E '^(LD_|PYTHONH)' | sort
        unset LD_PRELOAD PYTHONHOME LD_LIBRARY_PATH
        (trap "" PIPE; "$2" sh -c 'grep SigIgn /proc/self/status')
        "$2" sh -c 'grep SigIgn /proc/self/status'
    """
    run = shell(script, interp, busybox).check()
    *variables, ignored, default = run.out.splitlines()
    assert variables == ["LD_LIBRARY_PATH=/none", "LD_PRELOAD=/none.so", "PYTHONHOME=/none"]
    pipe = 1 << (13 - 1)
    assert int(ignored.split()[1], 16) & pipe
    assert not int(default.split()[1], 16) & pipe


def _ways() -> str:
    """Shell commands after which every user gets at Python and at qusr.

    They may be below a folder that is root's alone, such as /root. Another folder takes its
    place, with nothing in it but what leads to them.
    """
    wanted = {Path(path).resolve() for path in (sys.prefix, sys.base_prefix, REPO)}
    hidden: dict[Path, list[Path]] = {}
    for path in sorted(wanted):
        closed = [folder for folder in path.parents if not folder.stat().st_mode & stat.S_IXOTH]
        if closed:
            hidden.setdefault(closed[-1], []).append(path)
    lines = ["mount -t tmpfs none /mnt"]
    for folder, paths in hidden.items():
        places = [f"/mnt/{path.name}-{number}" for number, path in enumerate(paths)]
        for path, place in zip(paths, places, strict=True):
            lines.append(f"mkdir {place} && mount --rbind {path} {place}")
        lines.append(f"mount -t tmpfs -o mode=755 none {folder}")
        for path, place in zip(paths, places, strict=True):
            lines.append(f"mkdir -p {path} && mount --rbind {place} {path}")
    return "\n".join(lines)


def test_credentials(testbin: Callable[..., Path]) -> None:
    """Flag C: a set-user-ID program has its rights and AT_SECURE, and its caller no say in how it
    runs. Without it, and when a guest executes it, the bit is ignored.
    """
    if os.geteuid() != 0:
        pytest.skip("takes root: a namespace with more than one user")
    script = """
        mount -t tmpfs none /mnt && chmod 755 /mnt
        cp "$1" /mnt/root && chmod 4755 /mnt/root
        cp "$1" /mnt/other && chown 1234:1235 /mnt/other && chmod 6755 /mnt/other
        binfmt install --dynamic arm64 --interpreter /mnt/interp --credentials
        as() { setpriv --reuid 1234 --regid 1235 --clear-groups --inh-caps=-all "$@"; }
        as /mnt/root
        as env QUSR_STRACE=1 QUSR_CPU=none /mnt/root
        # The one executed by the other.
        chmod 755 /mnt/root
        /mnt/root /mnt/other
        binfmt uninstall --interpreter /mnt/interp
        binfmt install --dynamic arm64 --interpreter /mnt/interp
        /mnt/other
    """
    program = testbin("c/misc/rights", "aarch64")
    run = shell(_ways() + f"\ncd {REPO}" + script, program, users=True).check()
    as_root = "0 0 0 / 0 0 0 / 0"
    as_other = "1234 0 0 / 1235 1235 1235 / 1"
    assert run.out.splitlines() == [as_other] * 2 + [as_root] * 3, run.describe()
    assert run.err == ""


def test_fixed_reaches_into_a_chroot(interp: Path, busybox: Path, tmp_path: Path) -> None:
    """Flag F; the host's files come by `bind`, and go by `unbind`."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    for name in ("run", "proc"):
        (root / name).mkdir()
    shutil.copy(busybox, root / "bin" / "uname")
    script = """
        binfmt install --dynamic arm64 --interpreter "$1" --fixed
        chroot "$2" /bin/uname -m; echo $?
        binfmt bind "$2"; chroot "$2" /bin/uname -m; echo $?
        mount --rbind /proc "$2"/proc; chroot "$2" /bin/uname -m; echo $?
        binfmt unbind "$2"; ls "$2"/run
    """
    run = shell(script, interp, root).check()
    assert run.out == "126\naarch64\n0\naarch64\n0\n", run.describe()
    assert "/bin/uname: qusr's own files are not in this root" in run.err


def test_a_python_of_the_guest_is_not_taken_for_ours(
    interp: Path, busybox: Path, tmp_path: Path
) -> None:
    """At the path of the host's Python: it would start the launcher for ever."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "uname")
    script = """
        binfmt install --dynamic arm64 --interpreter "$1" --fixed
        python3 - "$1" "$2" <<'END'
import pathlib, re, shutil, sys
data = pathlib.Path(sys.argv[1]).read_bytes()
words = data[data.index(b"qusr-interp:conf\\0"[:16]) + 16:].split(b"\\0")[:60]
for word in words:
    path = word.decode(errors="replace")
    if path.startswith("/") and not path.startswith("/run") and ":" not in path:
        file = pathlib.Path(sys.argv[2] + path)
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sys.argv[2] + "/bin/uname", file)
END
        timeout 20 chroot "$2" /bin/uname -m; echo $?
    """
    run = shell(script, interp, root).check()
    assert run.out == "126\n"
    assert "qusr's own files are not in this root" in run.err


@pytest.mark.parametrize("form", ["--systemd", ""])
def test_printed_lines_are_accepted_by_the_kernel(interp: Path, form: str) -> None:
    script = f"""
        binfmt install --dynamic --interpreter "$1" --credentials --fixed 2>&1 | sed 's/:.*//' >&2
        binfmt install --dynamic --interpreter "$1"
        binfmt print --dynamic {form} --interpreter "$1" >"$1.conf"
        for f in {MISC}/qusr-*; do echo -1 >$f; done
        grep -v '^#' "$1.conf" | while read -r line; do printf '%s' "$line" >{MISC}/register; done
        ls {MISC}; "$2"/hello-arm
    """
    run = shell(script, interp, HELLO).check()
    names = sorted(registry.entry_name(guest) for guest in registry.guests([]))
    assert run.out.split("\n")[:-2] == [*names, "register", "status"]
    assert run.out.endswith("Hello from arm!\n")


def test_debian_formats_have_what_update_binfmts_reads(interp: Path) -> None:
    run = shell(
        'binfmt print --dynamic --debian --preserve-argv0 arm --interpreter "$1"', interp
    ).check()
    rows = dict(row.split(" ", 1) for row in run.out.splitlines() if row[:1].isalpha())
    assert rows["interpreter"] == str(interp)
    assert (rows["credentials"], rows["preserve"], rows["fix_binary"]) == ("no", "yes", "no")


@pytest.mark.parametrize("guest", registry.GUESTS)
def test_masks_match_programs_and_nothing_else(guest: str) -> None:
    entry = Entry("x", True, "", "", 0, registry.magic(guest), registry.mask(guest))
    assert entry.handles(guest)
    for other in registry.GUESTS:
        assert entry.handles(other) == (other == guest)
    assert not entry.matches(registry.header(guest, kind=1))  # ET_REL
    assert entry.matches(Path("/bin/sh").read_bytes()[:64]) == (guest == "x86_64")
    # AppImages have a mark of their own behind EI_OSABI.
    head = bytearray(registry.header(guest))
    head[8:11] = b"AI\x02"
    assert entry.matches(bytes(head))


def test_flags_tell_mips_abis_apart(testbin: Callable[..., Path]) -> None:
    """By a bit of e_flags, as scripts/qemu-binfmt-conf.sh of qemu has it."""
    for name in ("mips", "mipsn32"):
        assert registry.mask(name)[20:] == bytes(19) + b"\x20"
        assert registry.mask(f"{name}el")[20:] == bytes(16) + b"\x20\0\0\0"
    program = testbin("be/basics", "mipsn32el").read_bytes()[:256]
    matching = [
        guest
        for guest in registry.GUESTS
        if Entry("x", True, "", "", 0, registry.magic(guest), registry.mask(guest)).matches(program)
    ]
    assert matching == ["mipsn32el"]


def test_the_hosts_programs_are_left_to_it() -> None:
    """The emulator is one of them: registered, it could not be started any more."""
    assert {"x86_64", "i386"}.isdisjoint(registry.guests([]))
    assert registry.guests(["amd64"]) == ["x86_64"]
    with pytest.raises(BinfmtError, match="x86_64 is this machine"):
        registry.line("x86_64", "/usr/bin/qusr-x86_64", "")


def test_run_needs_no_installation() -> None:
    """Neither root nor a registration on the host: a plain user, in a namespace of one id."""
    script = f"""
        binfmt run --dynamic -- "$1"/hello-arm; echo $?
        binfmt run --dynamic -- sh -c 'id -u; exit 3'; echo $?
        binfmt run --dynamic -- sh -c 'kill -KILL $$'; echo $?
        binfmt run --dynamic -- /none; echo $?
        ls {MISC}
    """
    prelude = PRELUDE.replace("mount -t", "true mount -t")
    run = shell(script, HELLO, prelude=prelude).check()
    assert run.out == "Hello from arm!\n0\n0\n3\n137\n127\n"
    assert "qusr-binfmt: /none: No such file or directory" in run.err
    plain = PRELUDE.replace(f"mount -t binfmt_misc none {MISC}", "") + "export -f binfmt"
    script = """
        unshare --user --map-user=1234 --map-group=1234 bash -c '
            binfmt run --dynamic -- sh -c "id -u; $0/hello-arm"' "$1"
    """
    run = shell(script, HELLO, prelude=plain).check()
    assert run.out == "1234\nHello from arm!\n"


@pytest.mark.parametrize("arch", emulators.ARCHES)
def test_run_inside_a_root(arch: str, tmp_path: Path, root: Callable[[str], Path]) -> None:
    script = (
        OVERLAY
        + """
        run() { binfmt run --dynamic -L "$2"/root -- "${@:3}"; }
        before=$(ls "$2"/root)
        run "$@" /bin/ls /usr/games /etc/debian_version
        run "$@" /bin/bash -c 'ls /proc/self/root/ | wc -l; uname -m; pwd'
        run "$@" /bin/bash -c 'echo x >/dev/null; head -c 3 /dev/zero | wc -c; ls /none; exit 7'
        echo $?
        [ "$before" = "$(ls "$2"/root)" ] && echo unchanged
    """
    )
    script = script.replace('"$@" /bin', '"$1" "$2" /bin')
    run = shell(script, root(arch), tmp_path).check()
    machine = {"aarch64": "aarch64", "arm": "armv7l"}[arch]
    lines = run.out.splitlines()
    assert "/etc/debian_version" in lines
    assert lines[-5:] == [machine, "/", "3", "7", "unchanged"], run.describe()
