"""Who uses the pages: names, invitations, accounts."""
