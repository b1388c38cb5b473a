/* Who looks: the browser's own session with auth, renewed before its token runs out, as any other client of Bloom does. */
"use strict";

class Session {
  constructor(onSignedOut) {
    this.onSignedOut = onSignedOut;
    this.token = null;
    this.expiresAt = 0;
  }

  /* Whether the browser has a session already. */
  async resume() {
    return this.csrf() !== null && this.renew();
  }

  async signIn(email, password, tenant) {
    const response = await this.post("/api/auth/sign-in", { email, password, ...(tenant ? { tenant } : {}) });
    if (response.ok) this.keep(await response.json());
    return response.status;
  }

  /* A refresh token is good once: two tabs must not use the same. */
  async renew() {
    const work = async () => {
      const response = await this.post("/api/auth/refresh", null);
      if (response.ok) this.keep(await response.json());
      else if (response.status < 500) this.token = null;
      return response.ok;
    };
    return navigator.locks ? navigator.locks.request("bloom-session", work) : work();
  }

  /* Asks with a token that is good for a while; a refused one is renewed once. */
  async ask(path, options = {}) {
    if (Date.now() > this.expiresAt - 15_000) await this.renew();
    let response = await this.fetch(path, options);
    if (response.status === 401 && (await this.renew())) response = await this.fetch(path, options);
    if (response.status === 401) this.onSignedOut();
    return response;
  }

  fetch(path, options) {
    return fetch(path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${this.token}` } });
  }

  post(path, body) {
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": this.csrf() ?? "" };
    return fetch(path, { method: "POST", headers, credentials: "same-origin", body: body && JSON.stringify(body) });
  }

  keep(signedIn) {
    this.token = signedIn.access_token;
    this.expiresAt = Date.now() + signedIn.expires_in * 1000;
  }

  csrf() {
    const found = document.cookie.split("; ").find((each) => each.startsWith("bloom_csrf="));
    return found ? decodeURIComponent(found.slice("bloom_csrf=".length)) : null;
  }
}
