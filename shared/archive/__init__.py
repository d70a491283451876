"""The archive: rows of dead letters in Postgres. psycopg is imported when one is opened."""
