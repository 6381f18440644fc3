"""State in SQL: one file for one machine, PostgreSQL for several.

The transactions are written once, as scripts that do no I/O (`lanes`, `turns`, `claims`, `retention`); a driver runs
them: `sqlite` on one writer thread with group commit, `postgres` over psycopg. SQLAlchemy holds the schema and its
steps.
"""
