"""Who is at the screen."""
