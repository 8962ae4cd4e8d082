"""A guest within the calling Python process, to be looked into and steered: `qusr.Process`."""
