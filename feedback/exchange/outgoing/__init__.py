"""`naysayer export data`: one folder that other programs read."""
