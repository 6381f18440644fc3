"""From a request's bytes to what the agent gets: pure, without I/O."""
