"""The check: a version as a judge of pictures. How well it tells, and what its scores mean; no torch here."""
