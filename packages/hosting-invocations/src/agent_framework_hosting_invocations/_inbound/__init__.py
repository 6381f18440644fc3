"""From a request's bytes to what the agent or workflow gets; no I/O."""
