"""The Versions page: every version, the chosen one in detail, and what decides."""
