"""The logger of the host and its channels."""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("agent_framework.hosting")
