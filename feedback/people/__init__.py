"""Invitations, agreement, reliability, and decisions about raters."""
