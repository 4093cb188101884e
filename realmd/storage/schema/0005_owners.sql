-- version: 5
-- compatible: 5
-- A plugin is its publisher's.  Code that knows nothing of it would take any text for the author, so it
-- may not open this database.

-- Until now `author` was any text, which proves nothing: it becomes a credit.  The author is who the
-- journal says published the plugin last, if that agent is known; else nobody but the operator.
UPDATE plugins SET body = json_set(body, '$.credit', json_extract(body, '$.author'), '$.author', '');
UPDATE plugins SET body = json_remove(body, '$.credit') WHERE json_extract(body, '$.credit') = '';
UPDATE plugins SET body = json_set(plugins.body, '$.author', last.agent_id)
FROM (
    SELECT json_extract(body, '$.skillId') AS id, agent_id, max(seq) FROM events
    WHERE kind = 'catalogue' AND json_extract(body, '$.phase') = 'published' GROUP BY 1
) AS last
WHERE last.id = plugins.key AND last.agent_id <> 'room' AND last.agent_id IN (SELECT key FROM profiles);
-- In the same way, what is installed is its installer's.
UPDATE installed SET body = json_set(installed.body, '$.installedBy', last.agent_id)
FROM (
    SELECT json_extract(body, '$.skillId') AS id, agent_id, max(seq) FROM events
    WHERE kind = 'catalogue' AND json_extract(body, '$.phase') = 'installed' GROUP BY 1
) AS last
WHERE last.id = installed.key AND last.agent_id <> 'room' AND last.agent_id IN (SELECT key FROM profiles);
