"""The warehouse: an export of what happened and a place to measure, never the truth (design 7).

`engine` says what a warehouse promises; `in_bigquery` and `in_duckdb` keep it, on the same SQL texts (`dialect`).
Measuring is `queries` and `channel`, exporting is `rows`, `tables` and `export`; `opening` finds one by its name.
"""
