"""Adapters that keep things: SQLite for the log and its state, files for registers and answers."""
