"""Programs that look at the machine: iproute2, procps, util-linux."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tests.guests.compare import Case, Guest, each

#: What asks by netlink, which big-endian guests do not have (docs/syscalls.md, socket).
BY_NETLINK = [
    Case("ip -br link"),
    Case("ip -j addr"),
    Case("ip -d link show lo"),
    Case("ip route show table all"),
    Case("ip -6 route"),
]
CASES = [
    *BY_NETLINK,
    Case("ip link show no_such_device", "", status=1),
    Case("ip addr add 300.1.2.3 dev lo", "", status=1),
    Case("ss -H -t -a -n", compare_output=False),
    Case("/usr/sbin/sysctl -n kernel.ostype", "Linux\n"),
    Case("getopt -o ab: --long alpha,beta: -- -a --beta=x rest", " -a --beta 'x' -- 'rest'\n"),
    Case("namei -m tree/a/b/c/secret"),
    Case("fallocate -l 10000 words"),
    Case("fallocate -p -o 4096 -l 4096 blob"),
    Case("mountpoint /proc", compare_output=False),
    Case("findmnt -n -o TARGET,FSTYPE /proc"),
    Case("prlimit --nofile --output RESOURCE,SOFT,HARD --noheadings"),
    Case("ipcs -l"),
    Case("hostid"),
    Case("free -b", compare_output=False),
    Case("uptime", compare_output=False),
    Case("vmstat -s", compare_output=False),
    Case("lscpu", compare_output=False),
]


@each(CASES)
def test_command(guest: Guest, case: Case, tmp_path: Path) -> None:
    if case in BY_NETLINK and guest.is_big_endian:
        result = guest.run(guest.qusr, case, tmp_path / "work").check(1)
        assert "Address family not supported by protocol" in result.err
        return
    guest.check(case, tmp_path)


def test_ip_tells_of_the_hosts_interfaces(guest: Guest, tmp_path: Path) -> None:
    if guest.is_big_endian:
        pytest.skip("no netlink: docs/syscalls.md, socket")
    result = guest.run(guest.qusr, Case("ip -j addr"), tmp_path / "work").check()
    links = {link["ifname"]: link for link in json.loads(result.out)}
    assert sorted(links) == sorted(name for _, name in socket.if_nameindex())
    loopback = [entry["local"] for entry in links["lo"]["addr_info"]]
    assert "127.0.0.1" in loopback


def test_ps_shows_the_guest(guest: Guest, tmp_path: Path) -> None:
    """The guest sees itself by its own name and arguments, and its parent as the host does."""
    case = Case(f"ps -o pid=,ppid=,args= --ppid {os.getpid()}")
    result = guest.run(guest.qusr, case, tmp_path / "work").check()
    rows = [line.split(maxsplit=2) for line in result.out.splitlines()]
    own = [row for row in rows if "args=" in row[2]]
    assert len(own) == 1, result.describe()
    assert int(own[0][1]) == os.getpid()
    assert own[0][2].split()[0].endswith("/usr/bin/ps")
