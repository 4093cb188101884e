-- version: 3
-- compatible: 2
-- What relays have yet to be given.  Code that does not know of it publishes nothing, and loses nothing.

-- number: the order in which it was said; event: its JSON, signed; pending: URLs of the relays
-- that have not taken it, as a JSON list.
CREATE TABLE publications (
    number  INTEGER PRIMARY KEY NOT NULL,
    event   TEXT NOT NULL,
    pending TEXT NOT NULL
);
-- What the publisher must remember, such as how far its log has come.
CREATE TABLE marks (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
