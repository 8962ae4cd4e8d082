"""x86-64: the host's own instruction set, with the system calls that the guests' become."""
