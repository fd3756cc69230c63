"""Pictures of other programs on their way in."""
