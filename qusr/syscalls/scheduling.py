"""Scheduling: policies, affinity, priorities of CPU and I/O, barriers between threads."""

from __future__ import annotations

from qusr.syscalls.common import TIMESPEC, TIMESPEC64
from qusr.syscalls.decl import (
    IN,
    OUT,
    Bits,
    Enum,
    Flags,
    FlagTable,
    Host,
    Int,
    Pid,
    Ptr,
    Raw,
    Syscall,
    UInt,
)
from qusr.syscalls.layout import Struct, s32, u32, u64

POLICIES = {
    0: "SCHED_OTHER", 1: "SCHED_FIFO", 2: "SCHED_RR", 3: "SCHED_BATCH", 5: "SCHED_IDLE",
    6: "SCHED_DEADLINE", 7: "SCHED_EXT", 0x40000000: "SCHED_RESET_ON_FORK",
}  # fmt: skip
IOPRIO_WHO = {1: "IOPRIO_WHO_PROCESS", 2: "IOPRIO_WHO_PGRP", 3: "IOPRIO_WHO_USER"}
MEMBARRIER = {
    0: "MEMBARRIER_CMD_QUERY", 1: "MEMBARRIER_CMD_GLOBAL", 2: "MEMBARRIER_CMD_GLOBAL_EXPEDITED",
    4: "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED", 8: "MEMBARRIER_CMD_PRIVATE_EXPEDITED",
    16: "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED",
    32: "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE",
    64: "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE",
    128: "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ",
    256: "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ",
    512: "MEMBARRIER_CMD_GET_REGISTRATIONS",
}  # fmt: skip
MEMBARRIER_FLAGS = FlagTable({"MEMBARRIER_CMD_FLAG_CPU": 1})

SCHED_PARAM = Struct("sched_param", [("sched_priority", s32)])

# include/uapi/linux/sched/types.h
SCHED_ATTR = Struct(
    "sched_attr",
    [
        ("size", u32), ("sched_policy", u32), ("sched_flags", u64), ("sched_nice", s32),
        ("sched_priority", u32), ("sched_runtime", u64), ("sched_deadline", u64),
        ("sched_period", u64), ("sched_util_min", u32), ("sched_util_max", u32),
    ],
)  # fmt: skip

_RSEQ = "the host kernel would take the guest's program counter ranges for its own"

CALLS = (
    Syscall("sched_yield"),
    Syscall("sched_setscheduler", Pid("pid"), Enum("policy", POLICIES),
            Ptr("param", SCHED_PARAM, IN)),
    Syscall("sched_getscheduler", Pid("pid")),
    Syscall("sched_setparam", Pid("pid"), Ptr("param", SCHED_PARAM, IN)),
    Syscall("sched_getparam", Pid("pid"), Ptr("param", SCHED_PARAM, OUT)),
    Syscall("sched_get_priority_max", Enum("policy", POLICIES)),
    Syscall("sched_get_priority_min", Enum("policy", POLICIES)),
    Syscall("sched_rr_get_interval", Pid("pid"), Ptr("tp", TIMESPEC, OUT)),
    Syscall("sched_rr_get_interval_time64", Pid("pid"), Ptr("tp", TIMESPEC64, OUT),
            host=Host("sched_rr_get_interval")),
    Syscall("sched_setattr", Pid("pid"), Raw("attr"), UInt("flags")),
    Syscall("sched_setattr", Pid("pid"), Raw("attr"), UInt("flags"),
            handler="scheduling:sched_setattr", families=("be",)),
    Syscall("sched_getattr", Pid("pid"), Raw("attr"), UInt("size"), UInt("flags")),
    Syscall("sched_getattr", Pid("pid"), Raw("attr"), UInt("size"), UInt("flags"),
            handler="scheduling:sched_getattr", families=("be",)),
    Syscall("sched_setaffinity", Pid("pid"), UInt("len"), Bits("mask", IN, size="len")),
    Syscall("sched_getaffinity", Pid("pid"), UInt("len"), Bits("mask", OUT, size="len")),
    # A mask of the guest's words may be shorter than the host demands.
    Syscall("sched_getaffinity", Pid("pid"), UInt("len"), Raw("mask"),
            builtin="sched_getaffinity", families=("32",)),
    Syscall("getcpu", Ptr("cpu", u32, OUT), Ptr("node", u32, OUT), Raw("unused")),
    Syscall("nice", Int("inc"), handler="scheduling:nice"),
    Syscall("ioprio_get", Enum("which", IOPRIO_WHO), Int("who")),
    Syscall("ioprio_set", Enum("which", IOPRIO_WHO), Int("who"), Int("ioprio")),
    Syscall("membarrier", Enum("cmd", MEMBARRIER), Flags("flags", MEMBARRIER_FLAGS),
            Int("cpu_id")),
    Syscall("rseq", Raw("rseq"), UInt("rseq_len"), Int("flags"), UInt("sig"), enosys=_RSEQ),
    Syscall("rseq_slice_yield", enosys="there is no rseq"),
)  # fmt: skip
