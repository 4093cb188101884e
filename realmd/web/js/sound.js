/** What one hears, made on the spot: the breath of the cavern, drips, and small signals.  Off until asked. */

export class Sound {
  constructor() {
    /** @type {AudioContext | null} */
    this.audio = null;
    /** @type {GainNode | null} */
    this.out = null;
    this.on = false;
    this.drips = 0;
  }

  /** @returns {boolean} whether it is on now */
  toggle() {
    this.on = !this.on;
    if (this.on && !this.audio) this.start();
    const { audio, out } = this;
    if (audio && out) {
      audio.resume();
      out.gain.setTargetAtTime(this.on ? 0.5 : 0, audio.currentTime, 0.2);
    }
    return this.on;
  }

  start() {
    const audio = (this.audio = new AudioContext());
    const out = (this.out = audio.createGain());
    out.gain.value = 0;
    out.connect(audio.destination);
    const noise = audio.createBuffer(1, audio.sampleRate * 4, audio.sampleRate);
    const samples = noise.getChannelData(0);
    let last = 0;
    for (let i = 0; i < samples.length; i++) {
      last = last * 0.985 + (Math.random() * 2 - 1) * 0.08; // brown: the lower the louder
      samples[i] = last + (Math.random() < 0.0006 ? (Math.random() - 0.5) * 0.5 : 0); // and the fire crackles
    }
    const source = audio.createBufferSource();
    source.buffer = noise;
    source.loop = true;
    const low = audio.createBiquadFilter();
    low.type = 'lowpass';
    low.frequency.value = 900;
    source.connect(low).connect(out);
    source.start();
    this.drip();
  }

  drip() {
    clearTimeout(this.drips);
    this.drips = window.setTimeout(() => {
      this.tone(900 + Math.random() * 900, 0.09, 0.08, 0.5);
      this.drip();
    }, 2500 + Math.random() * 6000);
  }

  /** @param {number} pitch Hz @param {number} loud @param {number} length s @param {number} [fall] where the pitch goes, as a share */
  tone(pitch, loud, length, fall = 1) {
    const { audio, out } = this;
    if (!this.on || !audio || !out) return;
    const wave = audio.createOscillator();
    const gain = audio.createGain();
    const now = audio.currentTime;
    wave.type = 'triangle';
    wave.frequency.setValueAtTime(pitch, now);
    wave.frequency.exponentialRampToValueAtTime(pitch * fall, now + length);
    gain.gain.setValueAtTime(0, now);
    gain.gain.linearRampToValueAtTime(loud, now + 0.01);
    gain.gain.exponentialRampToValueAtTime(0.0001, now + length);
    wave.connect(gain).connect(out);
    wave.start(now);
    wave.stop(now + length + 0.05);
  }

  /** @param {import('./state.js').Happening} event */
  heard(event) {
    if (event.worldType === 'chat') this.tone(420, 0.12, 0.12, 1.3);
    else if (event.worldType === 'join') [392, 523, 659].forEach((pitch, i) => setTimeout(() => this.tone(pitch, 0.14, 0.5), i * 110));
    else if (event.worldType === 'leave') [523, 392].forEach((pitch, i) => setTimeout(() => this.tone(pitch, 0.1, 0.5), i * 110));
    else if (event.worldType === 'work' && event.phase === 'started') this.tone(190, 0.2, 0.18, 0.8);
  }
}
