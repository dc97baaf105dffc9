"""Custody of the broker's own keys, clock and entropy."""
