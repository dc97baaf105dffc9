"""Adapters for the ports that keep things: the log and its tables (SQLite) and the register files."""
