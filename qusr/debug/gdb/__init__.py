"""gdb's remote protocol: a server that stands beside the guest and traces it.

The server is a process of its own (:mod:`.launch`). It sees guest processes as a guest's own
tracer does, by :mod:`qusr.ptrace`, so threads, forks, execs, signals and system calls stop as for
ptrace(2), a debugger that sends nonsense cannot harm the guest, and a guest that crashes does not
end the conversation. Breakpoints and watchpoints are the cores'
(native/kernel/src/process/tracee/stops.rs): nothing is written into guest memory.

==============  ===================================================================================
`launch`        `-g`: the server's process, and what the guest does before its first instruction
`packets`       the connection: framing, checksums, acknowledgement
`debugger`      guest processes and threads, their events, what makes them go on
`stops`         breakpoints and watchpoints of a process
`signals`       gdb's numbers
`description`   the target description: gdb's view of a guest's registers
`session`       the loop; when a stop is reported
`server`        the session with all that follows
`events`        which stops there are, and who goes on silently
`nonstop`       the mode in which threads stop one by one
`resuming`      vCont and the older packets that let threads go on
`commands`      registers, memory, breakpoints, threads
`queries`       q and Q packets
`objects`       qXfer packets; `libraries`: what the dynamic linker has loaded
`lldb`          what LLDB asks beside; `lldb_threads`: of threads
`calls`         system calls and signals, told while the program runs
`files`         vFile: the guest's files
`monitor`       what `monitor` understands
`state`         all of a stopped process
`checkpoints`   copies of the program to go back to
`client`        `qusr gdb`: starts a debugger, or has a running guest debugged
==============  ===================================================================================

The packets: "GDB Remote Serial Protocol", an appendix of gdb's manual.
"""
