"""System-call declarations, the thunk compiler and the Python handlers."""
