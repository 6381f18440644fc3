"""Background runs, and what they say."""
