// The console's script. Every page works without it. With it, times are in the reader's zone, lists are live,
// and keyboard shortcuts work.
"use strict";
(() => {
  const body = document.body;
  document.documentElement.classList.add("script");

  // Times in the reader's zone; the UTC value stays in the title.
  const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const short = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const ago = (at) => {
    const seconds = Math.round((at - Date.now()) / 1000);
    for (const [unit, size] of units) {
      if (Math.abs(seconds) >= size || unit === "second") return relative.format(Math.trunc(seconds / size), unit);
    }
  };
  const tell = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      const text = time.classList.contains("ago") ? ago(at) : (time.classList.contains("short") ? short : clock).format(at);
      if (time.textContent !== text) time.textContent = text;
    }
  };
  const zone = document.querySelector("[data-zone]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && here && here !== "UTC") zone.textContent = "in " + here + "; point at a time to see it in UTC";
  const current = document.querySelector(".rail nav [aria-current]");
  if (current && current.offsetLeft + current.offsetWidth > innerWidth) current.closest("nav").scrollLeft = current.offsetLeft;
  tell(document);
  setInterval(() => tell(document), 5000);

  // A choice that submits itself.
  for (const select of document.querySelectorAll("select[data-go]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.defaultPrevented) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

  // Opening a part of the page by its address: /incidents/…#reprocess.
  const unfold = () => {
    const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (part instanceof HTMLDetailsElement && !(part.open && part.contains(document.activeElement))) openPart(part);
  };
  const openPart = (part) => {
    part.open = true;
    (part.querySelector("textarea, input:not([type=hidden]), button") || part.querySelector("summary")).focus();
  };
  addEventListener("hashchange", unfold);
  unfold();
  addEventListener("load", () => setTimeout(unfold)); // the browser's own jump to the part removes the focus

  // Live: a change makes the page fetch itself again and replace the parts that differ.
  const busy = (part) => part.contains(document.activeElement) && document.activeElement.closest("form, dialog, details[open]");
  const replace = (part, next) => {
    if (part.isEqualNode(next) || part.dataset.same === next.dataset.same && part.dataset.same !== undefined) return;
    part.replaceWith(next);
    tell(next);
  };
  const rowsOf = (list) => new Map([...list.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, row]));
  const news = document.querySelector("[data-news]");
  let waiting = new Set();
  const takeRows = (list, next) => {
    const have = rowsOf(list), come = rowsOf(next);
    let last = null;
    const arrived = [...come.keys()].filter((id) => !have.has(id));
    const atTop = scrollY < 80 && !list.contains(document.activeElement) && !list.querySelector(".at");
    for (const [id, row] of come) {
      const old = have.get(id);
      if (old) {
        const at = old.classList.contains("at"), focused = old.contains(document.activeElement);
        if (old.dataset.same !== row.dataset.same) {
          old.replaceWith(row);
          row.classList.add("fresh");
          row.classList.toggle("at", at);
          if (focused) row.querySelector("a")?.focus({ preventScroll: true });
          last = row;
        } else last = old;
      } else if (atTop) {
        last ? last.after(row) : list.prepend(row);
        row.classList.add("fresh");
        last = row;
      }
    }
    if (atTop) {
      for (const [id, row] of have) if (!come.has(id)) row.remove();
      waiting.clear();
    } else arrived.forEach((id) => waiting.add(id));
    if (news) {
      news.hidden = waiting.size === 0;
      news.querySelector("[data-count]").textContent = waiting.size === 1 ? "1 incident has arrived." : waiting.size + " incidents have arrived.";
    }
    tell(list);
  };
  let reading = false, again = false, over = false, signedOut = () => {};
  const refresh = async () => {
    if (over) return;
    if (reading) { again = true; return; }
    reading = true;
    try {
      const answer = await fetch(location.href.split("#")[0], { headers: { Accept: "text/html", "X-Refresh": "1" }, cache: "no-store", redirect: "manual" });
      if (answer.type === "opaqueredirect" || answer.status === 401) signedOut();
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = page.getElementById(part.id);
        if (!next) continue;
        if (part.dataset.live === "rows") takeRows(part, next);
        else if (!busy(part)) replace(part, document.adoptNode(next));
      }
    } catch { /* the next change tries again */ } finally {
      if (!over) setTimeout(() => { reading = false; if (again) { again = false; refresh(); } }, 1000);
    }
  };
  news?.querySelector("button").addEventListener("click", () => location.reload());
  const events = body.dataset.events;
  if (events && document.querySelector("[data-live]")) {
    const light = document.querySelector("[data-light]");
    const say = (text) => { if (light) { light.textContent = text; light.hidden = false; } };
    let source, next, every;
    // Final: no more requests are sent until somebody reloads the page.
    signedOut = () => {
      over = true;
      source.close();
      clearTimeout(next);
      clearInterval(every);
      say("Signed out");
      document.querySelector("[data-over]").hidden = false;
      document.documentElement.classList.add("over");
    };
    const follow = () => {
      source = new EventSource(events);
      // What changed before the stream began, or while it was lost, is read now.
      source.addEventListener("open", () => { refresh(); say("Live"); });
      source.addEventListener("error", () => {
        say("Reconnecting");
        // The browser reconnects by itself, but not after an answer such as 503 or 401.
        if (source.readyState !== EventSource.CLOSED) return;
        refresh();
        next = setTimeout(follow, 3000);
      });
      source.addEventListener("change", (event) => {
        const only = body.dataset.of;
        if (!only || only === JSON.parse(event.data).id) refresh();
      });
    };
    follow();
    if (body.dataset.every) every = setInterval(refresh, Number(body.dataset.every) * 1000);
    addEventListener("pagehide", () => source.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  // Keys.
  const help = document.getElementById("keys");
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const move = (by) => {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.classList.contains("at"));
    const to = all[Math.max(0, Math.min(all.length - 1, now < 0 ? (by > 0 ? 0 : all.length - 1) : now + by))];
    all[now]?.classList.remove("at");
    to.classList.add("at");
    to.querySelector("a.main").focus({ preventScroll: true });
    to.scrollIntoView({ block: "nearest" });
  };
  const at = () => document.querySelector("[data-row].at a.main");
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    Enter: () => { if (document.activeElement === body && at()) { at().click(); return true; } return false; },
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => help.showModal(),
    r: () => {
      const part = document.getElementById("reprocess");
      if (part) openPart(part);
      else if (at()) location.href = at().href + "#reprocess";
    },
    g: () => { location.href = document.querySelector("nav a").href; },
    i: () => { location.href = document.querySelector("nav a[data-key=i]").href; },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "Escape") {
      const open = document.querySelector(".acts details[open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
      return;
    }
    const does = keys[event.key];
    if (does && does() !== false) event.preventDefault();
  });
  document.querySelectorAll("[data-keys]").forEach((button) => { button.hidden = false; button.addEventListener("click", () => help.showModal()); });
  document.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => button.closest("dialog").close()));

  // Copying what is shown.
  document.querySelectorAll("button[data-copy]").forEach((button) => {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      button.textContent = "Copied";
    });
  });
})();
