"""`python -m core.evaluation`."""

import sys

from core.evaluation.run import main

if __name__ == "__main__":
    sys.exit(main())
