"""Verifying the exchange log offline, from bytes and a trust file alone. No I/O; no code of the log's writer."""
