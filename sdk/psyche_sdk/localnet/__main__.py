"""`python -m psyche_sdk.localnet`."""

import sys

from psyche_sdk.localnet._main import main

if __name__ == "__main__":
    sys.exit(main())
