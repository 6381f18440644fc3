"""From the agent's updates to the answer, whole or streamed; no I/O."""
