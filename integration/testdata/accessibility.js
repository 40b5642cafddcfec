// The rules that every page of the console keeps: those that axe-core calls serious and that a page without pictures,
// video and drag can break. It is an expression whose value is a list of findings.
(() => {
  const found = [];
  const say = (rule, element) => found.push(rule + ": " + (element.outerHTML || String(element)).slice(0, 160));
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !element.closest("[aria-hidden=true]");
  const name = (element) => {
    const by = (element.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean).map((id) => document.getElementById(id)?.textContent || "").join(" ");
    const label = element.labels ? [...element.labels].map((l) => l.textContent).join(" ") : "";
    return (by || element.getAttribute("aria-label") || label || element.textContent || element.title || "").trim();
  };

  // The document.
  if (!document.documentElement.lang) say("the page has a language", document.documentElement);
  if (!document.title.trim()) say("the page has a title", document.head);
  if (/maximum-scale|user-scalable\s*=\s*no/.test(document.querySelector("meta[name=viewport]")?.content || "")) say("the page may be enlarged", document.head);
  for (const id of new Set(all("[id]").map((e) => e.id).filter((id, i, ids) => ids.indexOf(id) !== i))) say("an id is there once", id);

  // Landmarks and headings.
  if (all("main").length !== 1) say("there is one main", document.body);
  if (all("h1").filter(seen).length !== 1) say("there is one first heading", document.body);
  let level = 0;
  for (const heading of all("h1, h2, h3, h4").filter(seen)) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) say("headings skip no level", heading);
    if (!heading.textContent.trim()) say("a heading says something", heading);
    level = next;
  }
  const navs = all("nav").filter(seen).map(name);
  if (navs.some((n) => !n) || new Set(navs).size !== navs.length) say("each nav has a name of its own", navs.join());
  const landmarks = "main, header, nav, footer, [role=search], [role=region], dialog, .skip";
  for (const element of all("body > *").filter(seen)) if (!element.matches(landmarks)) say("everything is in a landmark", element);

  // Names.
  for (const element of all("input:not([type=hidden]), select, textarea").filter(seen)) {
    if (!(element.labels?.length || element.getAttribute("aria-label") || element.getAttribute("aria-labelledby"))) say("a field has a label", element);
  }
  for (const element of all("button, a[href], summary, [role=img], progress, [role=region]").filter(seen)) if (!name(element)) say("what can be used has a name", element);
  for (const element of all("label[for]")) if (!document.getElementById(element.htmlFor)) say("a label labels something", element);
  for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const element of all("[" + attribute + "]")) {
      for (const id of element.getAttribute(attribute).split(/\s+/)) if (!document.getElementById(id)) say("a reference leads somewhere", element);
    }
  }
  for (const list of all("ul, ol")) for (const child of list.children) if (child.tagName !== "LI") say("a list holds items", child);
  for (const list of all("dl")) for (const child of list.children) if (!["DT", "DD", "DIV"].includes(child.tagName)) say("a dl holds terms", child);
  for (const table of all("table").filter(seen)) if (!table.querySelector("th[scope]")) say("a table has headers", table);
  for (const element of all("a, button, summary, input, select, textarea")) if (Number(element.getAttribute("tabindex")) > 0) say("the order is the document's", element);
  for (const element of all("a a, a button, button a, summary a, summary button, label label")) say("nothing to use is inside of another", element);

  // What scrolls can be reached with the keyboard.
  for (const element of all("main *").filter(seen)) {
    const style = getComputedStyle(element);
    if (/auto|scroll/.test(style.overflowX + style.overflowY) && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)
      && element.tabIndex < 0 && !element.querySelector("a, button, input, select, textarea")) say("what scrolls can be focused", element);
  }

  // Contrast, where the background is plain.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), rgba("white"));
  };
  for (const element of all("body *").filter(seen)) {
    if (!element.textContent.trim() || ![...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || element.closest("svg, .unseen, .skip, option")) continue;
    if (element.matches(":disabled")) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    const background = behind(element), has = ratio(over(rgba(style.color), background), background);
    if (has < (large ? 3 : 4.5)) say("text has a contrast of 4.5, not " + has.toFixed(2), element);
  }
  for (const element of all("input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select, textarea").filter(seen)) {
    const has = ratio(rgba(getComputedStyle(element).borderTopColor), behind(element.parentElement));
    if (has < 3) say("the edge of a field has a contrast of 3, not " + has.toFixed(2), element);
  }

  // Nothing is cut off or makes the page scroll sideways.
  if (document.documentElement.scrollWidth > innerWidth + 1) say("the page does not scroll sideways: " + document.documentElement.scrollWidth + " of " + innerWidth, document.body);
  // Nothing is styled or scripted inline.
  for (const element of all("[style], style, script:not([src])")) say("nothing is inline", element);
  return found;
})()
