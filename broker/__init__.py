"""Sluis: the broker between supervisors. It matches pseudonyms under a purpose, and never sees an identifier."""

__version__ = "0.1.0"
