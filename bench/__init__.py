"""Benchmarks: qusr beside qemu-user and native code (``python -m bench``)."""
