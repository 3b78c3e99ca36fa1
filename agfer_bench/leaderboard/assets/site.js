// Sorting, filtering, themes and charts. Everything on the page is there without this file as well,
// but for the charts. Texts of records are only ever set as text.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const root = document.documentElement;

// --- Tables ---

function rowsOf(body) {
  return [...body.rows].filter((row) => !row.classList.contains("heading"));
}

function valueOf(row, place, isText) {
  const cell = row.cells[place];
  if (isText) return cell.textContent.trim().toLowerCase();
  return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null); // what is missing stands last
  if (typeof a === "string") return sign * a.localeCompare(b, "en", { numeric: true });
  return sign * (a - b);
}

// With `again`, in the order that it has already: its values have changed.
function sortTable(table, button, again = false) {
  const header = button.closest("th");
  const opposite = { ascending: "descending", descending: "ascending" };
  const now = header.getAttribute("aria-sort");
  const order = again ? now : opposite[now] ?? button.dataset.first;
  const sign = order === "ascending" ? 1 : -1;
  const place = header.cellIndex;
  const isText = "text" in button.dataset;
  for (const other of table.tHead.rows[0].cells) {
    if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  }
  header.setAttribute("aria-sort", order);
  table.classList.toggle("by-accuracy", header.dataset.column === "accuracy" && sign < 0);
  for (const body of table.tBodies) { // rows that are not judged stay apart
    const rows = rowsOf(body).map((row) => [valueOf(row, place, isText), row]);
    rows.sort((a, b) => compare(a[0], b[0], sign));
    body.append(...rows.map(([, row]) => row));
  }
}

function filterTable(table) {
  const input = document.querySelector(`.filter[data-table="${table.id}"]`);
  const words = input ? input.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
  let shown = 0;
  let total = 0;
  for (const body of table.tBodies) {
    const rows = rowsOf(body);
    for (const row of rows) {
      row.searched ??= row.textContent.toLowerCase();
      row.hidden = !words.every((word) => row.searched.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    total += rows.length;
    const heading = body.querySelector(".heading");
    if (heading) heading.hidden = rows.every((row) => row.hidden);
  }
  const output = document.querySelector(`.shown[data-table="${table.id}"]`);
  if (output) output.textContent = `${shown} of ${total} rows`;
}

// Times are those of one device, which the reader chooses: two devices never stand in one column.
const DIGITS = { latency: () => 2, hz: (value) => (value >= 100 ? 0 : 1), train: () => 1 };

function showTimes(table) {
  const device = Number(document.getElementById("device").value);
  for (const row of all("tr[data-times]", table)) {
    const times = JSON.parse(row.dataset.times)[device] ?? [];
    for (const [place, name] of Object.keys(DIGITS).entries()) {
      const cell = row.querySelector(`[data-time="${name}"]`);
      const value = times[place] ?? null;
      if (value === null) {
        delete cell.dataset.v;
        cell.textContent = "–";
      } else {
        const digits = DIGITS[name](value);
        cell.dataset.v = value;
        cell.textContent = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
      }
    }
  }
  const sorted = table.querySelector("th:is([aria-sort=ascending], [aria-sort=descending])");
  if (sorted && sorted.dataset.column in DIGITS) sortTable(table, sorted.querySelector("button"), true);
}

function startTable(table) {
  for (const button of all("thead button", table)) {
    button.addEventListener("click", () => sortTable(table, button));
  }
  const input = document.querySelector(`.filter[data-table="${table.id}"]`);
  if (input) input.addEventListener("input", () => filterTable(table));
  if (table.id === "rows") {
    document.getElementById("device").addEventListener("change", () => showTimes(table));
    // Rows that are not judged stand by name: without others, no column is the order.
    const accuracy = table.querySelector('th[data-column="accuracy"]');
    if (table.querySelector("tr[data-judged]")) accuracy.setAttribute("aria-sort", "descending");
  }
  filterTable(table);
}

// --- Pairs in words ---

function startPairs() {
  const [first, second] = ["pair-first", "pair-second"].map((id) => document.getElementById(id));
  if (!first) return;
  const filter = () => {
    for (const item of all("#words li")) {
      const pair = [item.dataset.first, item.dataset.second];
      item.hidden = [first, second].some((one) => one.value !== "" && !pair.includes(one.value));
    }
  };
  first.addEventListener("change", filter);
  second.addEventListener("change", filter);
}

// --- Theme ---

const NAMES = { "": "as the system", dark: "dark", light: "light" };

function startTheme() {
  const button = document.getElementById("theme");
  const show = () => { button.textContent = `Theme: ${NAMES[root.dataset.theme ?? ""]}`; };
  button.hidden = false;
  show();
  button.addEventListener("click", () => {
    const order = ["", "dark", "light"];
    const next = order[(order.indexOf(root.dataset.theme ?? "") + 1) % order.length];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    try { localStorage.setItem("agfer-bench-theme", next); } catch { /* not kept, then */ }
    show();
    recolour();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
}

// --- Charts ---

const drawn = new Map(); // elements, each with what it shows
let figures = {};
let plotly = null;

function loadPlotly() {
  plotly ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = new URL("plotly.min.js", document.querySelector('script[src$="site.js"]').src).href;
    script.onload = () => done(window.Plotly);
    script.onerror = fail;
    document.head.append(script);
  });
  return plotly;
}

function colours() {
  const style = getComputedStyle(root);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: colour("--line"), linecolor: colour("--soft"), zerolinecolor: colour("--line") };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--text"), family: "system-ui, sans-serif", size: 12 },
    hoverlabel: { bgcolor: colour("--band"), bordercolor: colour("--line"), font: { color: colour("--text") } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--soft"), activecolor: colour("--text") },
    xaxis: axis,
    yaxis: axis,
  };
}

function merged(...parts) {
  const result = {};
  for (const part of parts) {
    for (const [key, value] of Object.entries(part)) {
      const both = value && typeof value === "object" && !Array.isArray(value);
      result[key] = both ? merged(result[key] ?? {}, value) : value;
    }
  }
  return result;
}

// On a phone a finger scrolls the page, also over a chart.
function narrowed(figure, width) {
  if (width >= 520) return {};
  const legend = figure.choices[0].data.filter((trace) => trace.showlegend !== false && trace.type !== "heatmap");
  const room = legend.length > 1 ? 18 * legend.length : 0;
  return {
    dragmode: false,
    height: figure.layout.height + room,
    margin: { l: 40, r: 4, t: 16, b: 40 + room },
    font: { size: 10 },
    legend: { orientation: "v", yref: "container", y: 0, yanchor: "bottom" },
  };
}

// With a width, for paper; without, as wide as there is room.
async function draw(element, width) {
  const library = await loadPlotly();
  const figure = figures[element.dataset.chart];
  const choice = figure.choices[drawn.get(element) ?? 0];
  const size = width ? { width, autosize: false } : { autosize: true, ...narrowed(figure, element.clientWidth) };
  const layout = merged(figure.layout, choice.layout, colours(), size);
  const data = structuredClone(choice.data);
  for (const trace of data) { // numbers that a narrow cell does not hold
    if (!width && trace.type === "heatmap" && trace.y.length * 46 > element.clientWidth) trace.texttemplate = "";
  }
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: element.clientWidth >= 520,
    modeBarButtons: [["toImage", "resetScale2d"]],
  };
  await library.react(element, data, layout, config);
  element.dataset.drawn = "true";
}

function recolour() {
  for (const element of drawn.keys()) draw(element);
}

const PAPER = 900; // pixels across a sheet of A4 in landscape, less its margins

// What is on paper is light, and as wide as the sheet.
function startPrinting() {
  let theme;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    for (const element of drawn.keys()) draw(element, PAPER);
  });
  addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    recolour();
  });
}

function startCharts() {
  const block = document.getElementById("charts");
  if (!block) return;
  figures = JSON.parse(block.textContent);
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      if (drawn.has(target)) continue;
      drawn.set(target, 0);
      draw(target);
    }
  }, { rootMargin: "400px" });
  for (const element of all(".chart")) observer.observe(element);
  // The others while nothing else is to do: a browser that prints does not wait for them.
  const rest = all(".chart");
  const idly = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
  const next = () => {
    const element = rest.shift();
    if (!element) return;
    const before = drawn.has(element) ? null : drawn.set(element, 0) && draw(element);
    Promise.resolve(before).then(() => idly(next));
  };
  addEventListener("load", () => idly(next));
  startPrinting();
  for (const select of all("select.choose")) {
    const element = document.querySelector(`.chart[data-chart="${select.dataset.chart}"]`);
    select.addEventListener("change", () => { drawn.set(element, Number(select.value)); draw(element); });
  }
}

// --- A link to a record opens it ---

function openTarget() {
  const target = location.hash.startsWith("#r-") ? document.getElementById(location.hash.slice(1)) : null;
  if (target) target.open = true;
}

for (const controls of all(".controls")) controls.hidden = false;
for (const table of all("table.sortable")) startTable(table);
startPairs();
startTheme();
addEventListener("hashchange", openTarget);
openTarget();
root.dataset.ready = "true";
performance.mark("ready");
startCharts();
