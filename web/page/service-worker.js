// Adds the headers that threads require to every response, and stores the responses for visits without a connection.

"use strict";

const VERSION = "@VERSION@";
const SHELL = /* @SHELL@ */ [];
const HEADERS = /* @HEADERS@ */ {};
const PREFIX = "dss-page-";

self.addEventListener("install", (event) => {
  event.waitUntil(install());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === self.location.origin) {
    event.respondWith(answer(event));
  }
});

async function install() {
  try {
    const cache = await caches.open(PREFIX + VERSION);
    await cache.addAll(SHELL.map((name) => new Request(name, { cache: "no-cache" })));
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    await tellFull(); // the headers work without the cache
  }
}

async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== PREFIX + VERSION) await caches.delete(name);
  }
  await self.clients.claim();
}

async function answer({ request }) {
  const cache = await caches.open(PREFIX + VERSION).catch(() => null);
  const kept = await cache?.match(request, { ignoreSearch: true }).catch(() => null);
  if (kept) return withHeaders(kept);
  const response = await fetch(request);
  if (response.status === 200 && cache) {
    cache.put(request.url.split("?")[0], response.clone()).catch(tellFull);
  }
  return withHeaders(response);
}

function withHeaders(response) {
  if (response.type === "opaque" || response.type === "error") return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

async function tellFull() {
  for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage("storage-full");
}
