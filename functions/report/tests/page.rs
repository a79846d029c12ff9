//! The page in a real browser: nothing is loaded, nothing breaks out, all of it fits a phone, can be read, and has a name.
//!
//! Without a browser the test says so and passes; `MAPMILL_BROWSER` names one. With `MAPMILL_PAGE_FOLDER` the page and
//! pictures of it are left there.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

#[path = "support/browser.rs"]
mod browser;
#[path = "support/sample.rs"]
mod sample;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use browser::Browser;
use serde_json::{Value, json};
use std::path::PathBuf;
use support::Runs;

async fn page() -> String {
    let mut runs = Runs::new();
    let event = sample::put(&mut runs);
    let answer = runs.report_of(&event).await;
    assert_eq!(answer["items"]["total"], 65_003, "{answer}");
    runs.get(&format!("{}/report/report.html", answer["run_id"].as_str().unwrap()))
}

/// Pairs of text and background that differ too little (WCAG 2.2, success criterion 1.4.3).
const CONTRAST: &str = r#"(() => {
  const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => { const f = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const under = element => { for (let e = element; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
  const bad = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, style = getComputedStyle(element);
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('title')) continue;
    seen += 1;
    const ink = parse(element.closest('svg') ? style.fill : style.color), paper = under(element);
    const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${walker.currentNode.data.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return {seen, bad};
})()"#;

/// Shapes that tell something and differ too little from what is behind them (WCAG 2.2, success criterion 1.4.11).
const SHAPES: &str = r#"(() => {
  const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => { const f = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const paper = light(parse(getComputedStyle(document.body).backgroundColor));
  const bad = [];
  for (const shape of document.querySelectorAll('svg rect:not(.track), svg .edge, svg circle')) {
    const style = getComputedStyle(shape), ink = light(parse(shape.matches('.edge') ? style.stroke : style.fill));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 3) bad.push(`${shape.getAttribute('class')}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(bad)];
})()"#;

/// What has no name, or breaks the structure by which assistive programs find their way.
const NAMES: &str = r#"(() => {
  const bad = [], all = selector => [...document.querySelectorAll(selector)];
  const named = e => e.getAttribute('aria-label') || (e.getAttribute('aria-labelledby') || '').split(' ').some(id => document.getElementById(id)?.textContent.trim());
  for (const svg of all('svg')) if (!svg.closest('[aria-hidden=true]') && !svg.parentElement.closest('svg') && !(svg.getAttribute('role') === 'img' && named(svg))) bad.push('svg without a name');
  for (const table of all('table')) if (!table.caption?.textContent.trim() && !named(table.closest('[role=region]') || table)) bad.push('table without a name');
  for (const th of all('th')) if (!th.getAttribute('scope')) bad.push('head without scope: ' + th.textContent);
  for (const e of all('section, nav, [role=region], [role=group]')) if (!named(e)) bad.push('part without a name');
  for (const a of all('a')) if (!document.querySelector(a.getAttribute('href'))) bad.push('link to nowhere: ' + a.href);
  for (const e of all('.scroll')) if (e.tabIndex !== 0) bad.push('cannot be scrolled by keyboard');
  const ids = all('[id]').map(e => e.id);
  if (new Set(ids).size !== ids.length) bad.push('an id comes twice');
  let level = 0;
  for (const h of all('h1, h2, h3, h4')) { const next = Number(h.tagName[1]); if (next > level + 1) bad.push('heading skips a level: ' + h.textContent); level = next; }
  if (all('h1').length !== 1 || all('main').length !== 1) bad.push('one h1 and one main');
  if (document.documentElement.lang !== 'en' || !document.title) bad.push('no language or no title');
  return bad;
})()"#;

/// What is wider than the window, and text that ends outside of it.
const OVERFLOW: &str = r#"(() => {
  const width = document.documentElement.clientWidth, bad = [];
  if (document.documentElement.scrollWidth > width) bad.push(`page: ${document.documentElement.scrollWidth} of ${width}`);
  for (const e of document.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect();
    if (e.checkVisibility() && !e.closest('.scroll, thead, .skip') && box.width && box.right > width + 1) bad.push(`${e.tagName}.${e.getAttribute('class')}: ${box.right}`);
  }
  return bad;
})()"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_can_be_read_by_everybody() {
    let Some(program) = browser::find() else {
        println!("SKIPPED: there is no browser here. Install chromium, or name one in MAPMILL_BROWSER.");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("MAPMILL_PAGE_FOLDER").map(PathBuf::from);
    let place = kept.clone().unwrap_or_else(|| folder.path().to_owned());
    let file = place.join("report-sample.html");
    std::fs::write(&file, page().await).unwrap();
    tokio::task::spawn_blocking(move || look(&program, &file, kept)).await.unwrap();
}

fn look(program: &std::path::Path, file: &std::path::Path, kept: Option<PathBuf>) {
    let mut browser = Browser::start(program);
    browser.show(1280, "light", "screen");
    browser.open(file);
    nothing_breaks_out(&mut browser);
    for (width, scheme, media) in [
        (320, "light", "screen"),
        (360, "light", "screen"),
        (360, "dark", "screen"),
        (768, "light", "screen"),
        (1280, "light", "screen"),
        (1280, "dark", "screen"),
        (718, "light", "print"),
        (718, "dark", "print"),
    ] {
        browser.show(width, scheme, media);
        let what = format!("{width} {scheme} {media}");
        if let Some(folder) = &kept {
            let picture = STANDARD.decode(browser.picture()).unwrap();
            std::fs::write(folder.join(format!("report-{width}-{scheme}-{media}.png")), picture).unwrap();
        }
        assert_eq!(browser.evaluate(OVERFLOW), json!([]), "{what}");
        let contrast = browser.evaluate(CONTRAST);
        assert!(contrast["seen"].as_u64().unwrap() > 200, "{what}: {contrast}");
        assert_eq!(contrast["bad"], json!([]), "{what}");
        assert_eq!(browser.evaluate(SHAPES), json!([]), "{what}");
    }
    assert_eq!(browser.evaluate("getComputedStyle(document.querySelector('nav')).display"), "none", "on paper");
    assert_eq!(browser.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)", "on paper");
    let paper = STANDARD.decode(browser.paper()).unwrap();
    assert!(paper.starts_with(b"%PDF"));
    if let Some(folder) = &kept {
        std::fs::write(folder.join("report-print.pdf"), paper).unwrap();
    }
    browser.show(360, "light", "screen");
    assert_eq!(browser.evaluate(NAMES), json!([]));
    keyboard(&mut browser);
    nothing_breaks_out(&mut browser);
}

/// Whatever the page did so far, it loaded nothing but itself, said nothing, and ran nothing.
fn nothing_breaks_out(browser: &mut Browser) {
    // The style counts only where the policy of the page allows it.
    assert_eq!(browser.evaluate("getComputedStyle(document.body).margin"), "0px");
    assert_eq!(browser.evaluate("document.scripts.length + document.images.length"), 0);
    assert_eq!(browser.evaluate("typeof window.broken"), "undefined");
    let shown = browser.evaluate("document.body.innerText");
    let shown = shown.as_str().unwrap();
    assert!(shown.contains(sample::SCRIPT), "the key is shown as it is");
    assert!(shown.contains("in/reports/\\u{202e}vsc.exe") && !shown.contains('\u{202e}'), "hidden letters are shown");
    let of = |method: &str| -> Vec<Value> {
        browser.events.iter().filter(|event| event["method"] == method).map(|event| event["params"].clone()).collect()
    };
    for request in of("Network.requestWillBeSent") {
        let url = request["request"]["url"].as_str().unwrap();
        assert!(url.starts_with("file:///") && url.ends_with("/report-sample.html") || url == "data:,", "{url}");
    }
    assert!(!of("Network.requestWillBeSent").is_empty(), "requests are seen");
    for method in ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"] {
        assert_eq!(of(method), Vec::<Value>::new(), "{method}");
    }
}

/// The first stop of the tabulator key leads past the head, and every stop can be seen.
fn keyboard(browser: &mut Browser) {
    let mut stops = Vec::new();
    for _ in 0..40 {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
            browser.call("Input.dispatchKeyEvent", key);
        }
        let stop = browser.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e); return e === document.body ? null : \
             {what: e.tagName + ' ' + (e.getAttribute('href') || e.textContent.slice(0, 20)), ring: s.outlineStyle + ' ' + s.outlineWidth}; })()",
        );
        if stop.is_null() {
            break;
        }
        stops.push(stop);
    }
    assert_eq!(stops[0]["what"], "A #items", "{stops:?}");
    assert!(stops.iter().any(|stop| stop["what"].as_str().unwrap().starts_with("SUMMARY")), "{stops:?}");
    assert!(stops.iter().all(|stop| stop["ring"] == "solid 3px"), "{stops:?}");
}
