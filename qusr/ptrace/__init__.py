"""ptrace(2) between guest processes: the tracer's half. `docs/ptrace.md` is the overview.

`block` is what tracer and tracee (native/kernel/src/process/tracee) share, `tracee` one traced
thread, `tracer` the stops of all that a thread traces, `waiting` the calls that wait for them,
`registers` the kernel's register sets, `requests` the requests.
"""
