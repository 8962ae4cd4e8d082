"""The fixture ``guest`` for all tests of this folder."""

from tests.guests.compare import guest

__all__ = ["guest"]
