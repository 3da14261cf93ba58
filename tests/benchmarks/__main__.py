"""`python tests/benchmarks`: puts the checkout on the path in place of this folder, and begins."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.benchmarks.command import main

    sys.exit(main(sys.argv[1:]))
