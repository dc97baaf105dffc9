"""The Sluis wire contract, generated from `protos/`."""
