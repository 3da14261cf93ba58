"""`python tests/docs`: puts the checkout on the path in place of this folder, and begins."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.docs.generate import main

    main()
