"""TopFlyTech: messages of its trackers."""
