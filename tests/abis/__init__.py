"""ABIs of guests to come, whose constants differ from the host's, for tests of the conversion.

The modules are made by tools/gen_constants.py, as a guest's own `constants` will be.
"""
