//! The pages, the board's and a technician's: plain files inside the binary. No build step, nothing from another host.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// (path, media type, content).
pub(super) const FILES: [(&str, &str, &str); 33] = [
    ("/", HTML, include_str!("page/page.html")),
    ("/technician/{technician}", HTML, include_str!("page/technician.html")),
    ("/page/page.css", CSS, include_str!("page/page.css")),
    ("/page/tiles.css", CSS, include_str!("page/tiles.css")),
    ("/page/views.css", CSS, include_str!("page/views.css")),
    ("/page/jobs.css", CSS, include_str!("page/jobs.css")),
    ("/page/commands.css", CSS, include_str!("page/commands.css")),
    ("/page/technician.css", CSS, include_str!("page/technician.css")),
    ("/page/page.js", SCRIPT, include_str!("page/page.js")),
    ("/page/tiles.js", SCRIPT, include_str!("page/tiles.js")),
    ("/page/exceptions.js", SCRIPT, include_str!("page/exceptions.js")),
    ("/page/operator.js", SCRIPT, include_str!("page/operator.js")),
    ("/page/service.js", SCRIPT, include_str!("page/service.js")),
    ("/page/commands.js", SCRIPT, include_str!("page/commands.js")),
    ("/page/doing.js", SCRIPT, include_str!("page/doing.js")),
    ("/page/dialog.js", SCRIPT, include_str!("page/dialog.js")),
    ("/page/actor.js", SCRIPT, include_str!("page/actor.js")),
    ("/page/technician.js", SCRIPT, include_str!("page/technician.js")),
    ("/page/cards.js", SCRIPT, include_str!("page/cards.js")),
    ("/page/readings.js", SCRIPT, include_str!("page/readings.js")),
    ("/page/figures.js", SCRIPT, include_str!("page/figures.js")),
    ("/page/views.js", SCRIPT, include_str!("page/views.js")),
    ("/page/asking.js", SCRIPT, include_str!("page/asking.js")),
    ("/page/jobs.js", SCRIPT, include_str!("page/jobs.js")),
    ("/page/steps.js", SCRIPT, include_str!("page/steps.js")),
    ("/page/floods.js", SCRIPT, include_str!("page/floods.js")),
    ("/page/balances.js", SCRIPT, include_str!("page/balances.js")),
    ("/page/waiting.js", SCRIPT, include_str!("page/waiting.js")),
    ("/page/bills.js", SCRIPT, include_str!("page/bills.js")),
    ("/page/queues.js", SCRIPT, include_str!("page/queues.js")),
    ("/page/moment.js", SCRIPT, include_str!("page/moment.js")),
    ("/page/words.js", SCRIPT, include_str!("page/words.js")),
    ("/page/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// One of the files. A browser asks each time, so that a new binary shows its own page.
pub(super) fn file(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], content).into_response()
}
