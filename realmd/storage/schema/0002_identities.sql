-- version: 2
-- compatible: 2
-- Who may speak for which agent.  Code that knows nothing of it would let anybody, so it may
-- not open this database.
CREATE TABLE identities (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
CREATE TABLE sanctions  (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
