// Sends the first channel of the microphone in blocks of a tenth of a second.

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(Math.round(sampleRate / 10));
    this.filled = 0;
    this.port.onmessage = () => this.port.postMessage(this.block.slice(0, this.filled));
  }

  process([input]) {
    const samples = input[0] ?? new Float32Array(128); // no sound yet
    for (let k = 0; k < samples.length; k++) {
      this.block[this.filled++] = samples[k];
      if (this.filled < this.block.length) continue;
      this.port.postMessage(this.block.slice());
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
