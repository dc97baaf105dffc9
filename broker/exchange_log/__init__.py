"""The exchange log: entries, the RFC 6962 tree over them, signed checkpoints, and the one sequencer that writes."""
