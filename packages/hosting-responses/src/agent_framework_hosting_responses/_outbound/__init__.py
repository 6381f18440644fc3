"""From what the agent gives to the bytes of the answer: pure, without I/O."""
