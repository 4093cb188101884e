/**
 * An agent on nostr-tools, which knows a relay and nothing else: `node agent.mjs RELAY`.
 *
 * It is told what to do by lines of JSON, and answers each with one: {"id": 1, "do": "query", …} with
 * {"id": 1, "result": …} or {"id": 1, "error": …}.
 */
import { createInterface } from 'node:readline';
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import { createRumor, createSeal, createWrap, unwrapEvent } from 'nostr-tools/nip59';
import * as nip44 from 'nostr-tools/nip44';
import WebSocket from 'ws';

useWebSocketImplementation(WebSocket);

const ASK = 20043;
const STORED = 1059;
const EPHEMERAL = 21059;
const PATIENCE = 15_000;

const secret = generateSecretKey();
const pubkey = getPublicKey(secret);
const relay = await Relay.connect(process.argv[2]);
const now = () => Math.floor(Date.now() / 1000);
/** What was addressed to us: {kind, event}; and who waits for an answer, by the id of the ask. */
const heard = [];
const waiting = new Map();

relay.subscribe([{ kinds: [ASK, STORED, EPHEMERAL], '#p': [pubkey] }], {
  onevent(event) {
    const inner = event.kind === STORED ? unwrapEvent(event, secret) : event.kind === EPHEMERAL ? opened(event) : event;
    heard.push({ kind: event.kind, pubkey: inner.pubkey, tags: inner.tags, content: JSON.parse(inner.content) });
    const mark = inner.tags.find(([name]) => name === 'e')?.[1];
    waiting.get(mark)?.({ kind: event.kind, by: inner.pubkey, answer: JSON.parse(inner.content) });
  },
});

/** An ephemeral wrap, which unwrapEvent does not take: by hand, with the checks of NIP-59. */
function opened(wrap) {
  const read = (event) => JSON.parse(nip44.decrypt(event.content, nip44.getConversationKey(secret, event.pubkey)));
  const seal = read(wrap);
  if (!verifyEvent(wrap) || !verifyEvent(seal) || seal.kind !== 13) throw new Error('not a good seal');
  const rumor = read(seal);
  if (rumor.pubkey !== seal.pubkey) throw new Error('the rumor is by another');
  return rumor;
}

const deeds = {
  pubkey: () => pubkey,
  heard: () => heard,

  /** The stored events of a filter. */
  query: ({ filter }) => new Promise((resolve) => {
    const events = [];
    const asked = relay.subscribe([filter], {
      onevent: (event) => events.push(event),
      oneose() {
        asked.close();
        resolve(events);
      },
    });
  }),

  /** Publish an event of our own. */
  async say({ kind, content, tags }) {
    const event = finalizeEvent({ kind, content, tags, created_at: now() }, secret);
    await relay.publish(event);
    return event.id;
  },

  /** A command, openly or (`wrapped`) in a gift wrap, and its answer. */
  async ask({ realm, room, cmd, args, wrapped, age = 0 }) {
    const content = JSON.stringify({ cmd, args, nonce: crypto.randomUUID() });
    const draft = { kind: ASK, content, tags: [['p', realm], ['d', room]], created_at: now() - age };
    const rumor = wrapped ? createRumor(draft, secret) : finalizeEvent(draft, secret);
    const event = wrapped ? createWrap(createSeal(rumor, secret, realm), realm) : rumor;
    const answered = new Promise((resolve, reject) => {
      waiting.set(rumor.id, resolve);
      setTimeout(() => reject(new Error(`no answer to ${cmd}`)), PATIENCE).unref();
    });
    await relay.publish(event);
    return { id: rumor.id, ...(await answered) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  Promise.resolve()
    .then(() => deeds[asked.do](asked))
    .then((result) => ({ id: asked.id, result }), (error) => ({ id: asked.id, error: String(error?.message ?? error) }))
    .then((answer) => console.log(JSON.stringify(answer)));
}
relay.close();
