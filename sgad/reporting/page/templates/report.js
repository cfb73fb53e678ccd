"use strict";
/* The page works without this file but for switching, sorting and the interactive curves. */
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const cssVariable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // ---- theme: the system's choice until the reader makes another
  const themeButton = one("#theme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("sgad-theme"); } catch { return null; } };
  const chosenTheme = () => stored() || (systemDark.matches ? "dark" : "light");
  const themeListeners = [];
  function applyTheme(theme) {
    document.documentElement.dataset.theme = theme;
    themeButton.setAttribute("aria-pressed", String(theme === "dark"));
    themeListeners.forEach((listener) => listener());
  }
  applyTheme(chosenTheme());
  systemDark.addEventListener("change", () => { applyTheme(chosenTheme()); });
  themeButton.addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("sgad-theme", theme); } catch { /* a page from disk may not be allowed to store */ }
    applyTheme(theme);
  });

  addEventListener("beforeprint", () => applyTheme("light"));
  addEventListener("afterprint", () => applyTheme(chosenTheme()));

  // ---- samples: seed switch, and a slider over training that all models share
  function setUpSamples(article) {
    const groups = all(".cards", article);
    const slider = one("input[type=range]", article);
    const output = one(".evolution output", article);
    const play = one("button.play", article);
    let steps = [], timer = null;
    const current = () => groups.find((group) => !group.hidden);

    function stop() {
      clearInterval(timer);
      timer = null;
      if (play) play.textContent = "Play";
    }
    function showStep() {
      const position = Number(slider.value), isFinal = position >= steps.length;
      for (const card of all(".card", current())) {
        const frames = all("img.frame", card), still = one(".grid, .none", card);
        // Models may have grids at different steps: the last one made by then.
        const due = isFinal ? null : frames.filter((frame) => Number(frame.dataset.step) <= steps[position]).pop();
        frames.forEach((frame) => { frame.hidden = frame !== due; });
        if (due && !due.hasAttribute("src")) due.src = due.dataset.source;
        still.hidden = Boolean(due);
      }
      output.textContent = isFinal ? "final samples" : `${steps[position].toLocaleString("en")} update pairs`;
      slider.setAttribute("aria-valuetext", output.textContent);
    }
    function showSeed(index) {
      groups.forEach((group, number) => { group.hidden = number !== index; });
      if (!slider) return;
      stop();
      steps = [...new Set(all("img.frame", current()).map((frame) => Number(frame.dataset.step)))].sort((a, b) => a - b);
      slider.max = String(steps.length);
      slider.value = slider.max;
      slider.disabled = play.disabled = steps.length === 0;
      showStep();
    }
    all("input[type=radio]", article).forEach((radio) => radio.addEventListener("change", () => showSeed(Number(radio.value))));
    if (slider) {
      slider.addEventListener("input", () => { stop(); showStep(); });
      play.addEventListener("click", () => {
        if (timer) return stop();
        if (Number(slider.value) >= steps.length) slider.value = "0";
        play.textContent = "Stop";
        showStep();
        timer = setInterval(() => {
          slider.value = String(Number(slider.value) + 1);
          showStep();
          if (Number(slider.value) >= steps.length) stop();
        }, 600);
      });
    }
    showSeed(0);
  }
  all("article.samples").forEach(setUpSamples);

  // ---- results: the first rows of each model's first grid, so that numbers and images are seen together
  all(".glance").forEach((glance) => {
    const article = all("article.samples").find((other) => other.dataset.dataset === glance.dataset.dataset);
    const grids = all(".card", one(".cards", article)).filter((card) => one("img.grid", card)).slice(0, 6);
    glance.append(...grids.map((card) => {
      const figure = document.createElement("figure"), image = new Image();
      image.src = one("img.grid", card).src;
      image.alt = `${one("img.grid", card).alt}, first rows`;
      figure.append(image, one("figcaption", card).cloneNode(true));
      return figure;
    }));
    glance.hidden = grids.length === 0;
  });

  // ---- curves: one uPlot a panel; all panels of a data set share range and cursor
  const DASHES = [[], [8, 4], [3, 3], [8, 3, 2, 3], [10, 3, 2, 3, 2, 3], [4, 4], [12, 5], [2, 5]];
  const curveData = JSON.parse(one("#curve-data").textContent);

  /* uPlot wants one list of x for all lines: the union of all steps, with gaps where a run has no row. */
  function aligned(series, key) {
    const steps = [...new Set(series.flatMap((run) => run.steps))].sort((a, b) => a - b);
    const index = new Map(steps.map((step, position) => [step, position]));
    const columns = series.map((run) => {
      const column = new Array(steps.length).fill(null);
      run.steps.forEach((step, row) => { column[index.get(step)] = run.values[key][row]; });
      return column;
    });
    return [steps, ...columns];
  }

  function setUpCurves(article) {
    const { series } = curveData[article.dataset.dataset];
    const boxes = all(".models input", article);
    const sync = uPlot.sync(article.dataset.dataset);
    const first = Math.min(...series.map((run) => run.steps[0]));
    const last = Math.max(...series.map((run) => run.steps[run.steps.length - 1]));
    let plots = [], range = [first, last];
    const isShown = (run) => boxes.find((box) => box.value === run.model).checked;

    function setRange(low, high) {
      range = [Math.max(first, low), Math.min(last, high)];
      plots.forEach((plot) => plot.setScale("x", { min: range[0], max: range[1] }));
    }
    function draw(panel) {
      const target = one(".plot", panel), output = one("output", panel);
      const axis = { stroke: cssVariable("--muted"), grid: { stroke: cssVariable("--grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
      let focused = null;
      const tell = (plot) => {
        const row = plot.cursor.idx;
        const value = focused && row != null ? plot.data[focused][row] : null;
        output.textContent = value == null ? "" : `${series[focused - 1].label} · step ${plot.data[0][row].toLocaleString("en")} · ${value}`;
      };
      const options = {
        width: Math.max(240, target.clientWidth), height: 210,
        legend: { show: false },
        scales: { x: { time: false } },
        focus: { alpha: 0.25 },
        cursor: { focus: { prox: 24 }, sync: { key: sync.key, setSeries: true }, drag: { x: true, y: false } },
        axes: [{ ...axis, size: 28 }, { ...axis, size: 58 }],
        series: [{}, ...series.map((run) => ({
          label: run.label, show: isShown(run), stroke: cssVariable(`--c${run.colour}`), width: series.length > 12 ? 1.25 : 2,
          dash: DASHES[run.colour], spanGaps: true, points: { show: false },
        }))],
        hooks: {
          setSeries: [(plot, index) => { focused = index; tell(plot); }],
          setCursor: [tell],
          setSelect: [(plot) => {
            if (plot.select.width > 4) setRange(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"));
          }],
        },
      };
      const plot = new uPlot(options, aligned(series, panel.dataset.panel), target);
      plot.over.addEventListener("dblclick", () => setRange(first, last));
      return plot;
    }
    function redraw() {
      plots.forEach((plot) => plot.destroy());
      plots = all(".panel", article).map(draw);
      setRange(...range);
    }
    boxes.forEach((box) => box.addEventListener("change", () => {
      plots.forEach((plot) => series.forEach((run, index) => {
        if (run.model === box.value) plot.setSeries(index + 1, { show: box.checked });
      }));
    }));
    const moves = {
      in: (span) => [range[0] + span / 4, range[1] - span / 4],
      out: (span) => [range[0] - span / 2, range[1] + span / 2],
      left: (span) => [Math.max(first, range[0] - span / 2), Math.max(first, range[0] - span / 2) + span],
      right: (span) => [Math.min(last, range[1] + span / 2) - span, Math.min(last, range[1] + span / 2)],
      reset: () => [first, last],
    };
    all("[data-zoom]", article).forEach((button) => button.addEventListener("click", () => setRange(...moves[button.dataset.zoom](range[1] - range[0]))));
    new ResizeObserver(() => plots.forEach((plot) => {
      const width = plot.root.parentElement.clientWidth;
      if (width > 0 && Math.abs(width - plot.width) > 1) plot.setSize({ width, height: 210 });
    })).observe(article);
    themeListeners.push(() => { if (plots.length) redraw(); });
    // Drawn when they come near: a page of many data sets opens at once.
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      redraw();
    }, { rootMargin: "600px" });
    near.observe(article);
    addEventListener("beforeprint", () => { if (!plots.length) { near.disconnect(); redraw(); } });
  }
  all("article.curves").forEach(setUpCurves);

  // ---- runs: sort by a column, find by words and status
  const table = one("#run-table"), body = table.tBodies[0], rows = [...body.rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const find = one("#find"), status = one("#status"), found = one("#found");
  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !(words.every((word) => texts[index].includes(word)) && (!status.value || row.dataset.status === status.value));
      shown += !row.hidden;
    });
    found.textContent = `${shown} of ${rows.length} runs`;
  }
  find.addEventListener("input", filter);
  status.addEventListener("change", filter);

  function sortBy(heading) {
    const column = heading.cellIndex, isNumber = heading.classList.contains("number");
    const descends = heading.getAttribute("aria-sort") === "ascending";
    all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", descends ? "descending" : "ascending");
    const keyOf = (row) => {
      const cell = row.cells[column], text = cell.dataset.sort ?? cell.textContent.trim();
      return isNumber ? parseFloat(text.replaceAll(",", "")) : text;
    };
    const keys = new Map(rows.map((row) => [row, keyOf(row)]));
    const compare = (left, right) => {
      const a = keys.get(left), b = keys.get(right);
      // Runs without a value stay below, whichever way the others go.
      if (isNumber && (Number.isNaN(a) || Number.isNaN(b))) return Number.isNaN(a) - Number.isNaN(b);
      const order = isNumber ? a - b : a.localeCompare(b, "en", { numeric: true });
      return descends ? -order : order;
    };
    body.append(...[...rows].sort(compare));
  }
  all("th button", table.tHead).forEach((button) => button.addEventListener("click", () => sortBy(button.closest("th"))));
})();
