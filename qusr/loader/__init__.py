"""From an ELF file to a mapped guest image."""
