"""Purpose policies: read strictly, decided by a pure function, explained line by line (DESIGN section 6). No I/O."""
