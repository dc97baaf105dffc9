"""Both ends of C2SP tlog-witness: the witness, a process of its own, and the broker's side that asks it to cosign."""
