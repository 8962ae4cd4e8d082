"""The tests: they mirror qusr/; tests/guests runs programs of Debian roots."""
