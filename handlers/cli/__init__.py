"""The command line: one small module per verb, one place where errors become exit codes (interface: command line)."""
