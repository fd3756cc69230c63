"""Pictures and votes on their way out to other programs, and votes on their way in."""
