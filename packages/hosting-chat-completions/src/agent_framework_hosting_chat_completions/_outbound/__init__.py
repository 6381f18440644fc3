"""From an agent's updates to the bytes of an answer: pure, without I/O."""
