"""The queue: one table in SQLite. `python queue_jobs.py add TEXT` adds a job by hand."""

from __future__ import annotations

import os
import sqlite3
import sys

TABLE = """
create table if not exists jobs (
    number integer primary key, text text not null, state text not null default 'waiting', by text, result text
)
"""


def connect() -> sqlite3.Connection:
    """Open the database that the environment names. Several processes may use it at the same time."""
    database = sqlite3.connect(os.environ.get("DATABASE", "jobs.sqlite3"), timeout=30, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute(TABLE)
    return database


def add(database: sqlite3.Connection, text: str) -> int:
    """Add a job and return its number."""
    (number,) = database.execute("insert into jobs (text) values (?) returning number", (text,)).fetchone()
    return int(number)


def take(database: sqlite3.Connection, by: str) -> sqlite3.Row | None:
    """Take the oldest waiting job, in one statement, so that two workers never take the same one."""
    row: sqlite3.Row | None = database.execute(
        "update jobs set state = 'taken', by = ? "
        "where number = (select min(number) from jobs where state = 'waiting') returning *",
        (by,),
    ).fetchone()
    return row


def finish(database: sqlite3.Connection, number: int, result: str) -> None:
    """Store the result of a job."""
    database.execute("update jobs set state = 'done', result = ? where number = ?", (result, number))


def find(database: sqlite3.Connection, number: int) -> sqlite3.Row | None:
    """Return the job with this number."""
    row: sqlite3.Row | None = database.execute("select * from jobs where number = ?", (number,)).fetchone()
    return row


if __name__ == "__main__":
    print(f"job {add(connect(), ' '.join(sys.argv[2:]))}")
