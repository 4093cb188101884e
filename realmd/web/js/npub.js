/** A Nostr public key as people write it: npub, which is bech32 (BIP-173) over the 32 bytes of the key (NIP-19). */

const LETTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const FACTORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const PREFIX = 'npub';
const CHECKSUM = 6;

/** The key as npub; what is not the hex of a key stays as it is. @param {string} pubkey */
export function npub(pubkey) {
  if (!/^[0-9a-f]{64}$/i.test(pubkey)) return pubkey;
  const values = fives(pubkey.match(/../g)?.map((pair) => parseInt(pair, 16)) ?? []);
  return `${PREFIX}1${[...values, ...checksum(values)].map((value) => LETTERS[value]).join('')}`;
}

/** The same, short enough to read: its beginning and its end. @param {string} key */
export function brief(key) {
  return key.length > 24 ? `${key.slice(0, 12)}…${key.slice(-6)}` : key;
}

/** Bytes as numbers of five bits, the last filled up with zeros. @param {number[]} bytes */
function fives(bytes) {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => parseInt(five.padEnd(5, '0'), 2));
}

/** @param {number[]} values of five bits */
function checksum(values) {
  const codes = [...PREFIX].map((letter) => letter.charCodeAt(0));
  const all = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...values];
  const rest = remainder([...all, ...Array(CHECKSUM).fill(0)]) ^ 1;
  return Array.from({ length: CHECKSUM }, (_, i) => (rest >> (5 * (CHECKSUM - 1 - i))) & 31);
}

/** The rest of a division of polynomials over the field of 32 elements. @param {number[]} values */
function remainder(values) {
  return values.reduce((rest, value) => {
    const next = ((rest & 0x1ffffff) << 5) ^ value;
    return FACTORS.reduce((sum, factor, i) => ((rest >> 25) >> i) & 1 ? sum ^ factor : sum, next);
  }, 1);
}
