"""The edges, where effects live: files, clocks, stores, dispatch of commands."""
