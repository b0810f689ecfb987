"""Where a frozen LiveTalk begins."""

import sys

from app.cli import main

sys.exit(main())
