// Opens an HTML report in headless Chromium and checks what a test of its text cannot see: accessibility (axe-core), console
// errors, network requests, whether anything is wider than its page, and whether a summary fits on two sheets; writes
// screenshots and a PDF to look at.
//
//   npm install --no-save puppeteer-core axe-core
//   node scripts/check_report.js report.html out/
//   node scripts/check_report.js report.html out/ --axe path/to/axe.min.js   (in place of the installed axe-core)
//
// In place of a file, an address of this machine: the page of `adaptbench report RUN --serve`, or of a site under test.
// Exits with 1 where anything is wrong. ADAPTBENCH_CHROMIUM names another Chromium than /usr/bin/chromium.
"use strict";
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");
const { parseArgs } = require("util");
const puppeteer = require("puppeteer-core");

const VIEWS = [
  { name: "wide-light", width: 1440, height: 900, scheme: "light" },
  { name: "wide-dark", width: 1440, height: 900, scheme: "dark" },
  { name: "middle-light", width: 1024, height: 768, scheme: "light" },
  { name: "narrow-light", width: 390, height: 844, scheme: "light" },
  { name: "narrow-dark", width: 390, height: 844, scheme: "dark" },
];
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const address = (page) => /^http:\/\/(127\.0\.0\.1|localhost)[:/]/.test(page) ? page : pathToFileURL(path.resolve(page)).href;

async function look(browser, place, axe, view, out, problems) {
  const page = await browser.newPage();
  await page.setViewport({ width: view.width, height: view.height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: view.scheme }]);
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) problems.push(`${view.name}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`${view.name}: script: ${error.message}`));
  page.on("dialog", (dialog) => { problems.push(`${view.name}: a dialog opened`); dialog.dismiss(); });
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && new URL(request.url()).origin !== new URL(place).origin) problems.push(`${view.name}: request: ${request.url()}`);
  });
  await page.goto(place);
  await page.screenshot({ path: path.join(out, `${view.name}-first.png`) });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) problems.push(`${view.name}: the page is ${wide} px wider than the window`);
  for (const section of await page.$$("main > section")) {
    const id = await section.evaluate((one) => one.id);
    await section.screenshot({ path: path.join(out, `${view.name}-${id}.png`) });
  }
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  const clipped = await page.evaluate(() => [...document.querySelectorAll("svg.chart")].flatMap((svg) => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter((text) => {
      const box = text.getBoundingClientRect();
      return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
    }).map((text) => `${svg.id}: ${text.textContent}`);
  }));
  for (const one of clipped) problems.push(`${view.name}: clipped: ${one}`);
  await page.evaluate(axe);  // from outside the page: its own policy stays as it is
  const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations
    .map((one) => `${one.id} (${one.impact}): ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ")} (${one.nodes.length})`));
  for (const one of found) problems.push(`${view.name}: axe: ${one}`);
  await page.close();
}

async function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { axe: { type: "string" } } });
  const [file, out] = positionals;
  if (!file || !out) { console.error("usage: node scripts/check_report.js REPORT.html OUT [--axe axe.min.js]"); process.exit(2); }
  const axe = values.axe ? fs.readFileSync(values.axe, "utf8") : require("axe-core").source;
  const place = address(file);
  fs.mkdirSync(out, { recursive: true });
  const browser = await puppeteer.launch({
    executablePath: process.env.ADAPTBENCH_CHROMIUM || "/usr/bin/chromium", headless: true, args: QUIET,
  });
  const problems = [];
  try {
    for (const view of VIEWS) await look(browser, place, axe, view, out, problems);
    const page = await browser.newPage();
    await page.goto(place);
    const most = await page.evaluate(() => document.documentElement.dataset.print === "summary" ? 2 : Infinity);
    for (const format of ["A4", "Letter"]) {
      const file = path.join(out, `print-${format}.pdf`);
      await page.pdf({ path: file, format });
      const sheets = (fs.readFileSync(file, "latin1").match(/\/Type\s*\/Page\b/g) || []).length;
      if (sheets > most) problems.push(`${format}: ${sheets} sheets`);
    }
  } finally {
    await browser.close();
  }
  for (const one of problems) console.log(one);
  console.log(`${problems.length} problems; screenshots in ${out}`);
  process.exit(problems.length ? 1 : 0);
}

main();
