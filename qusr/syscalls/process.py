"""Processes and threads: making, waiting, signalling, limits."""

from __future__ import annotations

from qusr.syscalls.decl import (
    IN,
    INOUT,
    OUT,
    Arg,
    Case,
    Enum,
    Fd,
    Flags,
    FlagTable,
    Hex,
    Host,
    Int,
    Named,
    Path,
    Pid,
    Ptr,
    Raw,
    Signal,
    Size,
    Switch,
    Syscall,
    UInt,
    ULong,
)
from qusr.syscalls.layout import Struct, u64, wait_status
from qusr.syscalls.structs import RLIMIT, RUSAGE, SIGINFO_CHILD, SIGINFO_QUEUE

CLONE = FlagTable(
    {
        "CLONE_NEWTIME": 0x80, "CLONE_VM": 0x100, "CLONE_FS": 0x200, "CLONE_FILES": 0x400,
        "CLONE_SIGHAND": 0x800, "CLONE_PIDFD": 0x1000, "CLONE_PTRACE": 0x2000,
        "CLONE_VFORK": 0x4000, "CLONE_PARENT": 0x8000, "CLONE_THREAD": 0x10000,
        "CLONE_NEWNS": 0x20000, "CLONE_SYSVSEM": 0x40000, "CLONE_SETTLS": 0x80000,
        "CLONE_PARENT_SETTID": 0x100000, "CLONE_CHILD_CLEARTID": 0x200000,
        "CLONE_DETACHED": 0x400000, "CLONE_UNTRACED": 0x800000,
        "CLONE_CHILD_SETTID": 0x1000000, "CLONE_NEWCGROUP": 0x2000000,
        "CLONE_NEWUTS": 0x4000000, "CLONE_NEWIPC": 0x8000000, "CLONE_NEWUSER": 0x10000000,
        "CLONE_NEWPID": 0x20000000, "CLONE_NEWNET": 0x40000000, "CLONE_IO": 0x80000000,
    }
)  # fmt: skip
WAIT = FlagTable(
    {
        "WNOHANG": 1, "WSTOPPED": 2, "WEXITED": 4, "WCONTINUED": 8, "WNOWAIT": 0x1000000,
        "__WNOTHREAD": 0x20000000, "__WALL": 0x40000000, "__WCLONE": 0x80000000,
    }
)  # fmt: skip
P_TYPES = {0: "P_ALL", 1: "P_PID", 2: "P_PGID", 3: "P_PIDFD"}
RUSAGE_WHO = {0: "RUSAGE_SELF", -1: "RUSAGE_CHILDREN", 1: "RUSAGE_THREAD"}
RLIMITS = {
    0: "RLIMIT_CPU", 1: "RLIMIT_FSIZE", 2: "RLIMIT_DATA", 3: "RLIMIT_STACK", 4: "RLIMIT_CORE",
    5: "RLIMIT_RSS", 6: "RLIMIT_NPROC", 7: "RLIMIT_NOFILE", 8: "RLIMIT_MEMLOCK",
    9: "RLIMIT_AS", 10: "RLIMIT_LOCKS", 11: "RLIMIT_SIGPENDING", 12: "RLIMIT_MSGQUEUE",
    13: "RLIMIT_NICE", 14: "RLIMIT_RTPRIO", 15: "RLIMIT_RTTIME",
}  # fmt: skip
OWN_LIMITS = (2, 3, 9)
"""RLIMIT_DATA, RLIMIT_STACK and RLIMIT_AS: kept by the guest's address space, because
the host's would count, and strangle, the emulator."""
WATCHED_LIMITS = (*OWN_LIMITS, 4, 7)
"""Those whose setting is watched: RLIMIT_CORE says which signals are ours to act on."""
PIDFD = FlagTable({"PIDFD_NONBLOCK": 0o4000, "PIDFD_THREAD": 0o200}, family="open")
PIDFD_SIGNAL = FlagTable(
    {"PIDFD_SIGNAL_THREAD": 1, "PIDFD_SIGNAL_THREAD_GROUP": 2, "PIDFD_SIGNAL_PROCESS_GROUP": 4}
)
AT_EXEC = FlagTable({"AT_SYMLINK_NOFOLLOW": 0x100, "AT_EMPTY_PATH": 0x1000,
                     "AT_EXECVE_CHECK": 0x10000})  # fmt: skip
KCMP = {
    0: "KCMP_FILE", 1: "KCMP_VM", 2: "KCMP_FILES", 3: "KCMP_FS", 4: "KCMP_SIGHAND",
    5: "KCMP_IO", 6: "KCMP_SYSVSEM", 7: "KCMP_EPOLL_TFD",
}  # fmt: skip

PTRACE = {
    0: "PTRACE_TRACEME", 1: "PTRACE_PEEKTEXT", 2: "PTRACE_PEEKDATA", 3: "PTRACE_PEEKUSER",
    4: "PTRACE_POKETEXT", 5: "PTRACE_POKEDATA", 6: "PTRACE_POKEUSER", 7: "PTRACE_CONT",
    8: "PTRACE_KILL", 9: "PTRACE_SINGLESTEP", 12: "PTRACE_GETREGS", 13: "PTRACE_SETREGS",
    14: "PTRACE_GETFPREGS", 15: "PTRACE_SETFPREGS", 16: "PTRACE_ATTACH", 17: "PTRACE_DETACH",
    22: "PTRACE_GET_THREAD_AREA", 23: "PTRACE_SET_SYSCALL", 24: "PTRACE_SYSCALL",
    27: "PTRACE_GETVFPREGS", 28: "PTRACE_SETVFPREGS", 29: "PTRACE_GETHBPREGS",
    30: "PTRACE_SETHBPREGS", 31: "PTRACE_SYSEMU", 32: "PTRACE_SYSEMU_SINGLESTEP",
    0x4200: "PTRACE_SETOPTIONS", 0x4201: "PTRACE_GETEVENTMSG", 0x4202: "PTRACE_GETSIGINFO",
    0x4203: "PTRACE_SETSIGINFO", 0x4204: "PTRACE_GETREGSET", 0x4205: "PTRACE_SETREGSET",
    0x4206: "PTRACE_SEIZE", 0x4207: "PTRACE_INTERRUPT", 0x4208: "PTRACE_LISTEN",
    0x4209: "PTRACE_PEEKSIGINFO", 0x420A: "PTRACE_GETSIGMASK", 0x420B: "PTRACE_SETSIGMASK",
    0x420C: "PTRACE_SECCOMP_GET_FILTER", 0x420D: "PTRACE_SECCOMP_GET_METADATA",
    0x420E: "PTRACE_GET_SYSCALL_INFO", 0x420F: "PTRACE_GET_RSEQ_CONFIGURATION",
}  # fmt: skip

RLIMIT64 = Struct("rlimit64", [("rlim_cur", u64), ("rlim_max", u64)])
# include/uapi/linux/sched.h: every field is 64 bits wide on every ABI.
CLONE_ARGS = Struct(
    "clone_args",
    [
        (name, u64)
        for name in (
            "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size",
            "tls", "set_tid", "set_tid_size", "cgroup",
        )
    ],
)  # fmt: skip

_SIGNAL_VALUE = Ptr("uinfo", SIGINFO_QUEUE, IN)


def _limit(resource: int) -> Named:
    return Named(resource, "rlimit", RLIMITS[resource])


def _limits(name: str, direction: int) -> tuple[Syscall, Syscall]:
    """getrlimit or setrlimit: RLIM_INFINITY is the largest word, so words of another
    size cannot be copied over.
    """
    args: tuple[Arg, ...] = (Ptr("rlim", RLIMIT, direction),)
    heard = OWN_LIMITS if direction == OUT else WATCHED_LIMITS
    cases = [(_limit(resource), Case(*args, builtin=name)) for resource in heard]
    switch = Switch("resource", cases, default=Case(*args), names=RLIMITS, family="rlimit")
    return (
        Syscall(name, switch),
        Syscall(name, Enum("resource", RLIMITS, family="rlimit"), *args, builtin=name,
                families=("32",)),
    )  # fmt: skip


_PRLIMIT = (Ptr("new_limit", RLIMIT64, IN), Ptr("old_limit", RLIMIT64, OUT))
_UGETRLIMIT = _limits("getrlimit", OUT)[1]

CALLS = (
    Syscall("getpid"),
    Syscall("gettid"),
    Syscall("getppid"),
    Syscall("wait4", Pid("pid"), Ptr("wstatus", wait_status, OUT), Flags("options", WAIT),
            Ptr("rusage", RUSAGE, OUT)),
    # What the kernel does not write, as no child has changed, stays what it was.
    Syscall("wait4", Pid("pid"), Ptr("wstatus", wait_status, INOUT), Flags("options", WAIT),
            Ptr("rusage", RUSAGE, INOUT), families=("be", "irix")),
    Syscall("waitpid", Pid("pid"), Ptr("wstatus", wait_status, INOUT), Flags("options", WAIT),
            host=Host("wait4", "pid", "wstatus", "options", 0)),
    Syscall("waitid", Enum("which", P_TYPES), Int("upid"), Ptr("infop", SIGINFO_CHILD, OUT),
            Flags("options", WAIT), Ptr("rusage", RUSAGE, OUT)),
    Syscall("kill", Pid("pid"), Signal("sig")),
    Syscall("tkill", Pid("tid"), Signal("sig")),
    Syscall("tgkill", Pid("tgid"), Pid("tid"), Signal("sig")),
    Syscall("rt_sigqueueinfo", Pid("tgid"), Signal("sig"), _SIGNAL_VALUE),
    Syscall("rt_tgsigqueueinfo", Pid("tgid"), Pid("tid"), Signal("sig"), _SIGNAL_VALUE),
    Syscall("pidfd_open", Pid("pid"), Flags("flags", PIDFD)),
    Syscall("pidfd_send_signal", Fd("pidfd"), Signal("sig"), Ptr("info", SIGINFO_QUEUE, IN),
            Flags("flags", PIDFD_SIGNAL)),
    Syscall("pidfd_getfd", Fd("pidfd"), Fd("targetfd"), UInt("flags")),
    # idx2 is a number, but for KCMP_EPOLL_TFD.
    Syscall(
        "kcmp", Pid("pid1"), Pid("pid2"),
        Switch("type", [(7, Case(ULong("idx1"), Raw("idx2")))],
               default=Case(ULong("idx1"), ULong("idx2")), names=KCMP),
    ),
    Syscall("getrusage", Enum("who", RUSAGE_WHO), Ptr("usage", RUSAGE, OUT)),
    *_limits("getrlimit", OUT),
    *_limits("setrlimit", IN),
    Syscall("ugetrlimit", *_UGETRLIMIT.args, builtin="getrlimit"),
    Syscall(
        "prlimit64", Pid("pid"),
        Switch(
            "resource",
            [(_limit(resource), Case(*_PRLIMIT, builtin="prlimit64"))
             for resource in WATCHED_LIMITS],
            default=Case(*_PRLIMIT), names=RLIMITS, family="rlimit",
        ),
    ),
    Syscall("exit", Int("status"), builtin="exit"),
    Syscall("exit_group", Int("status"), builtin="exit_group"),
    Syscall("set_tid_address", Raw("tidptr"), builtin="set_tid_address"),
    # CONFIG_CLONE_BACKWARDS: the thread pointer comes before the child's tid.
    Syscall("clone", Flags("flags", CLONE), Raw("newsp"), Raw("parent_tid"), Hex("tls"),
            Raw("child_tid"), handler="process:clone"),
    Syscall("clone", Flags("flags", CLONE), Raw("newsp"), Raw("parent_tid"), Raw("child_tid"),
            Hex("tls"), handler="process:clone", families=("x64", "m68k32")),
    # CONFIG_CLONE_BACKWARDS2: the stack comes before the flags.
    Syscall("clone", Raw("newsp"), Flags("flags", CLONE), Raw("parent_tid"), Raw("child_tid"),
            Hex("tls"), handler="process:clone", families=("backwards2",)),
    Syscall("clone3", Ptr("cl_args", CLONE_ARGS, IN), Size("size"),
            handler="process:clone3"),
    Syscall("fork", handler="process:fork"),
    Syscall("vfork", handler="process:vfork"),
    # Who looks for a program in the folders of PATH meets many that are not there.
    Syscall("execve", Path("filename"), Raw("argv"), Raw("envp"), handler="exec:execve",
            file="filename"),
    Syscall("execveat", Fd("dirfd"), Path("pathname", at="dirfd"), Raw("argv"), Raw("envp"),
            Flags("flags", AT_EXEC), handler="exec:execveat"),
    Syscall("ptrace", Enum("request", PTRACE, 0), Pid("pid"), Raw("addr"), Raw("data"),
            handler="ptrace:ptrace",
            partial="guests trace guests, without seccomp events (docs/ptrace.md)"),
    Syscall("unshare", Flags("flags", CLONE), builtin="unshare"),
    Syscall("setns", Fd("fd"), Flags("nstype", CLONE), builtin="setns"),
)  # fmt: skip
