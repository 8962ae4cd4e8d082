"""System calls that Python decides: one module a family."""
