"""The part Pictures of the page Setup: files from a browser, looked at first, then imported."""
