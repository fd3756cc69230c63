"""Past one machine: what one PostgreSQL gives many cards and many raters, measured, and a model of more of both."""
