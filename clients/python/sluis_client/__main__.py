"""`python -m sluis_client` is `sluis-client`."""

from sluis_client.cli import main

main()
