"""`python -m psyche_client.cli`: the same as `psyche`."""

from psyche_client.cli import main

main()
