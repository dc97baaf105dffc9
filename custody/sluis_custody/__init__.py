"""Key custody for both sides of Sluis: it knows of keys and of nothing else, no identifier, no register, no log."""
