"""Logs and tools that look into a running guest."""
