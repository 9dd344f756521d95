"""The release phase: it runs before each new version, which is not deployed if this fails.

A real application would migrate its database here.
"""

import os
import sys

missing = [name for name in ("SECRET_KEY",) if not os.environ.get(name)]
if missing:
    sys.exit(f"missing in the env file: {', '.join(missing)}")
print("all settings are there")
