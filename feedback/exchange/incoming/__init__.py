"""`naysayer import votes`: what other programs say of our pictures becomes votes."""
