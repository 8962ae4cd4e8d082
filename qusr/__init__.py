"""qusr runs Linux ELF programs built for another processor."""
