"""The Unicorn core by itself: small pieces of code, exact states, every way to stop.

Expected states are those of the Arm Architecture Reference Manual (DDI 0487), and of Linux
where a signal's details are concerned (arch/arm/mm/fault.c, arch/arm64/mm/fault.c).
"""
