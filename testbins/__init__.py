"""Guest programs for the tests, and what builds them."""
