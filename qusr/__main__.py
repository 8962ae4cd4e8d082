"""`python -m qusr PROGRAM`."""

from qusr.cli import main

main()
