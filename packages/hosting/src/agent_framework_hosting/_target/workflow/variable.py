"""The environment variable of the secret that checkpoints are sealed with."""

from typing import Final

KEY_VARIABLE: Final = "AF_HOSTING_CHECKPOINT_KEY"
