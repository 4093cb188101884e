-- version: 4
-- compatible: 2
-- Which commands by relay were obeyed: none is obeyed twice.  Code that does not know of it takes none.

-- id: of the Nostr event (hex); until: when it would be stale (ms since the epoch).
CREATE TABLE asks (id TEXT PRIMARY KEY NOT NULL, until BIGINT NOT NULL);
CREATE INDEX asks_until ON asks (until);
