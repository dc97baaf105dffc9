"""The log in the words of other standards, for a collector: Logboek Dataverwerkingen, Authorization Decision Log.

A copy for others' systems, never the evidence (ADR 0022). Reads the log, writes nothing to it.
"""
