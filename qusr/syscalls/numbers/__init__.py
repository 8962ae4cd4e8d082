"""System call numbers, one generated module for each ABI (see tools/gen_syscalls.py)."""
