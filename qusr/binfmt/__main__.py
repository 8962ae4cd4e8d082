"""`python -m qusr.binfmt`."""

from qusr.binfmt.cli import main

main()
