"""The part of Sluis that runs inside an agency: identifiers and keys never leave it."""

__version__ = "0.1.0"
