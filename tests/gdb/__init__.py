"""The gdb stub, with real debuggers and with a client of our own."""
