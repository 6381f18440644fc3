"""What chat channels share: from a platform's message to the agent, and from its answer to the platform's messages."""
