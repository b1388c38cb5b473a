/* One card: a metric as a figure, a chart and a table that say the same. */
"use strict";

const COLOURS = ["--accent", "--second", "--third", "--fourth", "--fifth"];
const WHOLE = [1, 2, 5].flatMap((first) => [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7].map((scale) => first * scale)).sort((a, b) => a - b);
const DAY = 86_400_000;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits });

function duration(seconds) {
  if (seconds < 1) return `${number(seconds * 1000)} ms`;
  if (seconds < 120) return `${number(seconds, 1)} s`;
  if (seconds < 7200) return `${number(seconds / 60, 1)} min`;
  return seconds < 172800 ? `${number(seconds / 3600, 1)} h` : `${number(seconds / 86400, 1)} d`;
}

function money(minor, currency) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

function percent(change) {
  const rounded = Math.round(Math.abs(change) * 100);
  return `${rounded === 0 ? "±" : change > 0 ? "+" : "−"}${number(rounded)} %`;
}

class Card {
  constructor(element) {
    this.element = element;
    Object.assign(this, element.dataset);
    this.steps = this.steps.split(" ");
    this.groups = new Map();
    this.plot = null;
    this.observer = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.observer.observe(this.chart);
  }

  get chart() { return this.element.querySelector(".chart"); }

  stepFor(range) {
    const wanted = range === "day" ? ["hour", "day", "week-by-day"] : ["day", "week-by-day", "hour"];
    return wanted.find((step) => this.steps.includes(step));
  }

  address(range) {
    this.step = this.stepFor(range);
    /* A week that ends in the range has begun six days before. */
    const days = { day: 1, week: 7, month: 30 }[range] + (this.overlaps() ? 6 : 0);
    const from = new Date(Math.floor(Date.now() / 60_000) * 60_000 - days * DAY);
    const asked = new URLSearchParams({ metric: this.metric, step: this.step, from: from.toISOString(), compare: "previous" });
    if (this.group) asked.set("group", this.group);
    if (this.running) asked.set("cumulative", "true");
    return `/api/analytics/series?${asked}`;
  }

  overlaps() { return this.step === "week-by-day"; }

  /* Of windows that overlap, those count that have come to their last day: the others are yet to be filled. */
  isTold(window) { return !this.overlaps() || Date.parse(window.end) <= Date.now() + DAY; }

  /* Where a window stands in the chart: at its start, or on its last day if the others overlap it. */
  place(point) { return this.overlaps() ? Date.parse(point.end) - DAY : Date.parse(point.start); }

  load(answer) {
    for (const series of answer.series) series.points = series.points.filter((point) => this.isTold(point));
    this.groups = new Map(answer.series.map((each) => [JSON.stringify(each.dimensions), each]));
    this.draw();
  }

  nameOf(dimensions) { return (this.group && dimensions[this.group]) || ""; }

  /* A changed window takes the place of its older state; false asks for the series anew. */
  change(window) {
    if (window.step !== this.step || !this.isTold(window)) return true;
    const series = this.groups.get(JSON.stringify(window.dimensions));
    /* A group that was not there before belongs to a card that is split by it, and to no other. */
    if (!series) return Object.keys(window.dimensions).join() !== this.group;
    const place = series.points.findIndex((point) => point.start === window.start);
    if (place < 0) return series.points.length > 0 && window.start < series.points[0].start;
    if (this.running) return false;
    const added = (name) => (window[name] ?? 0) - (series.points[place][name] ?? 0);
    if (series.summary) {
      series.summary.count += added("count");
      if (series.summary.total !== null) series.summary.total += added("total");
      if (this.aggregate === "share") series.summary.share = series.summary.total / series.summary.count;
    }
    series.points[place] = window;
    this.draw();
    return true;
  }

  value(point) {
    if (this.running) return point.cumulative;
    const values = { sum: point.total, share: point.share, percentiles: point.percentiles?.p95 ?? null };
    return this.aggregate in values ? values[this.aggregate] : point.count;
  }

  /* Of several groups the figures stand beside each other; of one that of the range, or of its latest window. */
  figures() {
    const figures = [...this.groups.values()].map((series) => {
      const name = this.nameOf(series.dimensions);
      const sum = { sum: series.summary?.total, share: series.summary?.share, count: series.summary?.count }[this.aggregate];
      const known = series.points.filter((point) => this.value(point) !== null);
      const latest = known.filter((point) => point.count).at(-1) ?? known.at(-1);
      return this.text(this.running || sum === undefined ? latest && this.value(latest) : sum, name);
    });
    return figures.slice(0, 2).join(" · ") || "–";
  }

  text(value, currency) {
    if (value === null || value === undefined) return "–";
    if (this.unit === "seconds") return duration(value);
    if (this.unit === "minor_units") return money(value, currency);
    return this.aggregate === "share" ? `${number(value * 100, 1)} %` : number(value);
  }

  lines() {
    if (this.aggregate === "percentiles") {
      const points = [...this.groups.values()][0]?.points ?? [];
      return ["p50", "p95"].map((name) => ({ name, points, values: points.map((point) => point.percentiles?.[name] ?? null) }));
    }
    return [...this.groups.values()].slice(0, COLOURS.length).map(({ dimensions, points }) => {
      return { name: this.nameOf(dimensions), points, values: points.map((point) => this.value(point)) };
    });
  }

  draw() {
    const lines = this.lines();
    const points = lines[0]?.points ?? [];
    this.say(lines);
    this.table(lines);
    const data = [points.map((point) => this.place(point) / 1000), ...lines.map((line) => line.values)];
    const isEmpty = !lines.some((line) => line.values.some((value) => value !== null));
    if (this.plot && !isEmpty && this.drawn === lines.length) return this.plot.setData(data);
    this.plot?.destroy();
    this.plot = null;
    this.chart.replaceChildren();
    if (isEmpty) {
      const nothing = document.createElement("p");
      nothing.textContent = points.some((point) => point.isSuppressed) ? "Too few to be told of" : "Nothing yet";
      this.chart.append(nothing);
      return;
    }
    this.drawn = lines.length;
    this.plot = new uPlot(this.options(lines), data, this.chart);
  }

  options(lines) {
    /* Bars of several groups would stand before each other. */
    const isBars = lines.length === 1 && (this.aggregate === "count" || (this.aggregate === "sum" && !this.running));
    const step = { minute: 60, hour: 3600 }[this.step] ?? 86400;
    const bars = uPlot.paths.bars({ size: [0.7, 48] });
    const axis = { stroke: colour("--soft"), font: "12px system-ui, sans-serif", grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const currency = lines[0].name;
    const whole = ["events", "people"].includes(this.unit) && this.aggregate !== "share";
    return {
      ...this.size(),
      cursor: { y: false, points: { size: 6 } },
      scales: {
        x: { time: true, range: (_, low, high) => [low - step / 2, high + step / 2] },
        y: { range: (_, low, high) => [Math.min(0, low), Math.max(high * 1.1, this.aggregate === "share" ? 0.05 : 1)] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: 54, values: (_, ticks) => ticks.map((tick) => this.when(tick)) },
        { ...axis, size: 58, space: 34, ...(whole ? { incrs: WHOLE } : {}), values: (_, ticks) => ticks.map((tick) => this.short(tick, currency)) },
      ],
      series: [{}, ...lines.map((line, at) => ({
        label: line.name || this.metric, stroke: colour(COLOURS[at]), width: isBars ? 0 : 2, spanGaps: true,
        points: { show: !isBars && line.values.length < 32, size: 5 },
        ...(isBars ? { paths: bars, fill: colour(COLOURS[at]) } : {}),
        ...(!isBars && at === 0 && lines.length === 1 ? { fill: colour("--accent-soft") } : {}),
      }))],
    };
  }

  when(seconds) {
    const format = this.step === "hour" ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" };
    return new Intl.DateTimeFormat("en-GB", format).format(new Date(seconds * 1000));
  }

  /* For an axis: amounts of several currencies have no sign, large ones are rounded. */
  short(value, currency) {
    if (this.unit !== "minor_units") return this.text(value, currency);
    const digits = currency ? new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits : 0;
    return (value / 10 ** digits).toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
  }

  size() { return { width: Math.max(200, this.chart.clientWidth), height: 168 }; }

  say(lines) {
    const series = [...this.groups.values()][0];
    const figure = this.figures();
    const isLatest = ["percentiles", "distinct"].includes(this.aggregate) || !series?.summary;
    const what = this.running ? "now" : this.aggregate === "percentiles" ? "95th percentile, latest" : isLatest ? "latest" : "in this range";
    const hasChange = !this.running && this.groups.size === 1 && series.change != null && this.aggregate !== "percentiles";
    const change = hasChange ? percent(series.change) : "";
    this.element.querySelector(".figure strong").textContent = figure;
    this.element.querySelector(".figure .what").textContent = what;
    const changed = this.element.querySelector(".figure .change");
    changed.textContent = change;
    changed.title = change && "Compared with the period before";
    const compared = change && `, ${change} against the period before`;
    this.chart.setAttribute("aria-label", `${this.label}: ${figure} ${what}${compared}. The table below has every window.`);
    const entries = lines.length > 1 ? lines.map((line) => Object.assign(document.createElement("li"), { textContent: line.name })) : [];
    this.element.querySelector(".legend").replaceChildren(...entries);
  }

  table(lines) {
    const row = (cells, kind) => {
      const line = document.createElement("tr");
      cells.forEach((text, at) => {
        const cell = document.createElement(kind === "th" || at === 0 ? "th" : "td");
        cell.scope = kind === "th" ? "col" : at === 0 ? "row" : "";
        cell.textContent = text;
        line.append(cell);
      });
      return line;
    };
    const when = new Intl.DateTimeFormat("en-GB", this.step === "hour" ? { dateStyle: "medium", timeStyle: "short" } : { dateStyle: "medium" });
    this.element.querySelector("thead").replaceChildren(row([this.overlaps() ? "Week until" : "From", ...lines.map((line) => line.name || "Value")], "th"));
    const said = (line, at) => (line.points[at]?.isSuppressed ? "too few" : this.text(line.values[at], line.name));
    const rows = (lines[0]?.points ?? []).map((point, at) =>
      row([when.format(new Date(this.place(point))), ...lines.map((line) => said(line, at))], "td"));
    this.element.querySelector("tbody").replaceChildren(...rows.reverse());
  }
}
