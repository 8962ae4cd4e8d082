"""Small projects whose build runs programs of another machine, as docs/pipelines.md says."""
