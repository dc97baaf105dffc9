"""`python -m broker` is `sluis`."""

from broker.cli import main

main()
