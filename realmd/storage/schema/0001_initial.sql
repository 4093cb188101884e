-- version: 1
-- compatible: 1
-- The realm's journal and tables.  `version` is this file's number; `compatible` the oldest
-- version of the schema whose code may still open a database brought to this one.
-- Bodies are JSON in TEXT, so that `sqlite3 realm.sqlite 'SELECT body FROM events'` reads them.

-- seq: the realm's last seq, kept even when every event is pruned.
-- clean: 1 after an orderly stop, 0 while open.  probe: when the store last proved writable
-- (ms), over and over.
CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
INSERT INTO meta (key, value) VALUES ('seq', '0'), ('clean', '1'), ('probe', '0');

-- ts in ms since the epoch; to_agent_id is NULL for public events.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY NOT NULL,
    ts          INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    agent_id    TEXT NOT NULL,
    to_agent_id TEXT,
    body        TEXT NOT NULL
);
CREATE INDEX events_public      ON events (seq) WHERE to_agent_id IS NULL;
CREATE INDEX events_public_ts   ON events (ts, seq) WHERE to_agent_id IS NULL;
CREATE INDEX events_private_ts  ON events (ts, seq) WHERE to_agent_id IS NOT NULL;
CREATE INDEX events_received    ON events (to_agent_id, ts, seq) WHERE to_agent_id IS NOT NULL;
CREATE INDEX events_sent        ON events (agent_id, ts, seq) WHERE to_agent_id IS NOT NULL;

-- One table a kind of row in the world's tables.
CREATE TABLE profiles  (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
CREATE TABLE bodies    (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
CREATE TABLE claims    (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
CREATE TABLE posts     (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
CREATE TABLE requests  (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
CREATE TABLE plugins   (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
CREATE TABLE installed (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
