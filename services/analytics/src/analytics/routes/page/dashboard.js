/* The page: signs in, loads every card, and keeps them up to date over one stream. */
"use strict";

const find = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll(".card")].map((element) => new Card(element));
const session = new Session(() => show("sign-in"));
const LIVE = { connecting: "Connecting", live: "Live", away: "Reconnecting" };
let stream = null;
let reloading = new Map();

function show(what) {
  find("sign-in").hidden = what !== "sign-in";
  find("numbers").hidden = find("controls").hidden = what !== "numbers";
  if (what === "sign-in") {
    stream?.close();
    find("email").focus();
  }
}

function state(name) {
  find("live").dataset.state = name;
  find("live").textContent = LIVE[name];
}

async function load(card) {
  const response = await session.ask(card.address(find("range").value));
  /* What somebody may not see is not there for them. */
  card.element.hidden = response.status === 403;
  if (response.ok) card.load(await response.json());
  return response.status;
}

async function loadAll() {
  const statuses = await Promise.all(cards.map(load));
  for (const subject of document.querySelectorAll(".subject"))
    subject.hidden = [...subject.querySelectorAll(".card")].every((card) => card.hidden);
  const failed = statuses.filter((status) => status >= 500 || status === 429).length;
  const nothing = statuses.every((status) => status === 403);
  find("notice").hidden = !(failed || nothing);
  find("notice").textContent = nothing ? "There is nothing here for your role." : failed ? "Some numbers cannot be had at the moment." : "";
}

async function loadStats() {
  const response = await session.ask("/api/admin/stats");
  find("tiles").hidden = !response.ok;
  if (!response.ok) return;
  const stats = await response.json();
  for (const tile of document.querySelectorAll("[data-stat]")) tile.textContent = number(stats[tile.dataset.stat]);
}

/* A series that a window does not fit into is read anew, once for all that come within a moment. */
function reloadSoon(card) {
  if (reloading.has(card)) return;
  reloading.set(card, setTimeout(() => { reloading.delete(card); load(card); }, 400));
}

function change(window) {
  for (const card of cards) if (card.metric === window.metric && !card.element.hidden && !card.change(window)) reloadSoon(card);
}

async function start() {
  show("numbers");
  state("connecting");
  stream?.close();
  const asked = new URLSearchParams(cards.map((card) => ["metric", card.metric]));
  stream = new ChangeStream(session, `/api/analytics/stream?${asked}`, { state, window: change, reset: loadAll });
  stream.run();
  await Promise.all([loadAll(), loadStats()]);
  document.body.dataset.ready = "true";
}

find("range").addEventListener("change", loadAll);
find("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  find("sign-in-problem").textContent = "";
  const status = await session.signIn(find("email").value, find("password").value, find("tenant").value);
  find("password").value = "";
  if (status === 200) return start();
  const reasons = { 401: "E-mail or password is wrong.", 429: "Too many tries. Wait a minute." };
  find("sign-in-problem").textContent = reasons[status] ?? "Signing in did not work. Try again.";
});
setInterval(() => { if (session.token && !find("numbers").hidden) loadStats(); }, 60_000);
session.resume().then((isSignedIn) => (isSignedIn ? start() : show("sign-in")));
