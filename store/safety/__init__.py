"""Nothing that people made is lost by mistake: one id for a store's parts, a copy before a change."""
