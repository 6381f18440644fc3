"""Sessions: order, continuity, branches."""
