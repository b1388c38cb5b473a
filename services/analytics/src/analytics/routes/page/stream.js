/* Server-sent events with a token in a header, which the browser's own EventSource cannot send. */
"use strict";

class ChangeStream {
  constructor(session, path, handlers) {
    Object.assign(this, { session, path, handlers, lastId: null, isOver: false, retry: 2000 });
    this.aborting = new AbortController();
  }

  close() {
    this.isOver = true;
    this.aborting.abort();
  }

  async run() {
    for (let failures = 0; !this.isOver; ) {
      try {
        await this.once(() => (failures = 0));
      } catch {
        failures += 1;
      }
      if (this.isOver) return;
      this.handlers.state("away");
      const pause = Math.min(this.retry * 2 ** Math.min(failures, 4), 30_000) * (0.75 + Math.random() / 2);
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  async once(onOpen) {
    const headers = { Accept: "text/event-stream", ...(this.lastId ? { "Last-Event-ID": this.lastId } : {}) };
    const response = await this.session.ask(this.path, { headers, signal: this.aborting.signal });
    if (!response.ok) throw new Error(`status ${response.status}`);
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      blocks.forEach((block) => this.take(block));
    }
  }

  take(block) {
    let event = "message", data = "";
    for (const line of block.split("\n")) {
      const at = line.indexOf(":");
      const [field, value] = [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
      if (field === "event") event = value;
      else if (field === "data") data += value;
      else if (field === "id") this.lastId = value;
      else if (field === "retry") this.retry = Number(value);
    }
    if (event === "open") this.handlers.state("live");
    else if (event === "window") this.handlers.window(JSON.parse(data));
    else if (event === "reset") this.handlers.reset();
  }
}
