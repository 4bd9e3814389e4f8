"""Rules that Tipoff keeps, as tests."""
