"""Guest instruction sets: one module each."""
