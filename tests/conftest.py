"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# Two slow cores are no fault of the code, and a build that fails must fail again when repeated.
settings.register_profile("realmd", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("realmd")
