"""The API for other programs: a table of operations, their routes, and their description in OpenAPI."""
