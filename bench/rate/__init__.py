"""How fast and how blind rating is."""
