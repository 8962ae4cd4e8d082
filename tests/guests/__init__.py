"""Programs of Debian roots, compared with qemu-user."""
