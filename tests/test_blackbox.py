"""Being written: rules of the core."""
