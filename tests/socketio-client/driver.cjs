// Drives stock Socket.IO clients for a test: one JSON command per line in, one JSON line out for everything that happens.
//   {"do": "connect", "client": "a", "url": "http://..", "token": "..", "after": {..}, "follow": true, "options": {..}}
//   {"do": "emit", "client": "a", "event": "typing", "data": {..}, "ack": 7}     {"do": "disconnect", "client": "a"}
// With "follow" a client notes how far it has got in each conversation, and resumes from there when it connects again.
"use strict";
const readline = require("node:readline");
const { io } = require("socket.io-client");

const clients = new Map();
const changes = new Set(["new-message", "message-edited", "message-deleted", "receipt", "member", "closed"]);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

function connect({ client: name, url, token, after, follow, options }) {
  const places = { ...after };
  const auth = (give) => give(after || follow ? { token, after: places } : { token });
  const socket = io(url, { transports: ["websocket"], forceNew: true, auth, ...options });
  const hear = (on, more) => say({ client: name, on, ...more });
  socket.on("connect", () => hear("connect", { id: socket.id, recovered: socket.recovered }));
  socket.on("connect_error", (error) => hear("connect_error", { message: error.message }));
  socket.on("disconnect", (reason) => hear("disconnect", { reason }));
  socket.onAny((event, data) => {
    if (follow && changes.has(event)) {
      places[data.conversationId] = data.sequence;
    }
    if (follow && event === "ready") {
      for (const each of data.conversations) {
        places[each.conversationId] ??= each.sequence;
      }
    }
    hear("event", { event, data });
  });
  clients.set(name, socket);
}

const commands = {
  connect,
  emit: ({ client: name, event, data, ack }) => {
    const socket = clients.get(name);
    if (ack === undefined) {
      socket.emit(event, data);
    } else {
      socket.emit(event, data, (answer) => say({ client: name, on: "ack", ack, data: answer }));
    }
  },
  disconnect: ({ client: name }) => clients.get(name).disconnect(),
  // As when the network goes away: the connection ends and the client tries to come back by itself.
  drop: ({ client: name }) => clients.get(name).io.engine.close(),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  commands[command.do](command);
});
process.stdin.on("end", () => process.exit(0));
