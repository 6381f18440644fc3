"""What every channel does with an agent's answer before it says it in its protocol's words; no I/O."""
