"""The page Sort: a folder on the server from worst to best, with a cut that can be dragged."""
