"""The page Setup: what an admin changes while the loop runs."""
