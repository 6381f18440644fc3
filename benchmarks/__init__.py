"""What the host costs, beside the least that a hand-written route around the same agent costs."""
