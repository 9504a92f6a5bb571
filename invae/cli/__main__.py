"""``python -m invae.cli``: the same as the ``invae`` command."""

import sys

from invae.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
