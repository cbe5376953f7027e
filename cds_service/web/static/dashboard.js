// Charts over days that can be zoomed, drawn over the ones the server drew. Without this the page has all it has.
const STROKES = ["#0b5394", "#9c1616", "#4a5866"];
const DASHES = [[], [6, 4], [2, 3]];
const HEIGHT = 220;
const DAY = 86400;
// The page's language, which need not be the browser's.
const SPOKEN = document.documentElement.lang;
const number = new Intl.NumberFormat(SPOKEN, { maximumFractionDigits: 4, useGrouping: false });
const day = new Intl.DateTimeFormat(SPOKEN, { day: "numeric", month: "short", timeZone: "UTC" });

const asked = new Map();

function series(address) {
  if (!asked.has(address)) {
    asked.set(address, fetch(address, { headers: { Accept: "application/json" } }).then((answer) => (answer.ok ? answer.json() : null)));
  }
  return asked.get(address);
}

function options(lines, width, dayLabel) {
  const value = (_, amount) => (amount == null ? "–" : number.format(amount));
  const drawn = lines.map(([label], place) => ({ label, value, stroke: STROKES[place], dash: DASHES[place], width: 2, points: { size: 5 } }));
  return {
    width,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "UTC"),
    scales: { y: { range: (_, low, high) => [0, Math.max(high, 1e-6)] } },
    axes: [
      { incrs: [1, 2, 7, 14, 28, 91].map((days) => days * DAY), values: (_, splits) => splits.map((seconds) => day.format(seconds * 1e3)) },
      { values: (_, splits) => splits.map((amount) => number.format(amount)) },
    ],
    series: [{ label: dayLabel, value: "{YYYY}-{MM}-{DD}" }, ...drawn],
  };
}

async function draw(holder) {
  const found = await series(holder.dataset.from);
  const lines = found?.series[holder.dataset.series];
  if (!lines || found.days.length < 2) return;
  const room = document.createElement("div");
  room.className = "zoom";
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent = holder.dataset.hint;
  const chart = new uPlot(options(lines, holder.clientWidth, holder.dataset.day), [found.days, ...lines.map(([, values]) => values)], room);
  room.querySelector("canvas").setAttribute("role", "img");
  room.querySelector("canvas").setAttribute("aria-label", holder.querySelector("svg").getAttribute("aria-label"));
  holder.replaceChildren(room, hint);
  new ResizeObserver(() => chart.setSize({ width: holder.clientWidth, height: HEIGHT })).observe(holder);
}

document.querySelectorAll("[data-series]").forEach(draw);
