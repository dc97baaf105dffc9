"""Puts `tests/` on the import path, so that suites can share kits such as `log_kit`."""
