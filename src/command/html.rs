//! A page of its own: no script, nothing from elsewhere, for a browser and for A4.

const STYLE: &str = "\
:root{color-scheme:light}\
body{font:14px/1.45 system-ui,sans-serif;color:#1b2430;background:#fff;margin:0 auto;max-width:1180px;padding:1.5rem}\
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .3rem;border-bottom:2px solid #1f4e79;padding-bottom:.2rem}\
p.of{color:#51606f;margin:.2rem 0 1rem}\
.tiles{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}\
.tile{border:1px solid #c9d3dd;border-radius:6px;padding:.5rem .8rem;min-width:7.5rem}\
.tile b{display:block;font-size:1.5rem}.tile.found{border-color:#b3261e}.tile.found b{color:#b3261e}\
.charts{display:flex;flex-wrap:wrap;gap:1.5rem}figure{margin:0}figcaption{font-weight:600;margin-bottom:.3rem}\
svg text{font:12px system-ui,sans-serif;fill:#1b2430}\
table{border-collapse:collapse;width:100%;font-size:12px}\
th,td{border-bottom:1px solid #dbe2e9;padding:.25rem .4rem;text-align:left;vertical-align:top;overflow-wrap:break-word}\
th{background:#eef3f8;white-space:nowrap}tbody tr:nth-child(even){background:#f8fafc}\
a{color:#1f4e79}\
@page{size:A4 landscape;margin:14mm}\
@media print{body{padding:0;max-width:none;font-size:11px}table{font-size:9px}h2{break-after:avoid}tr,figure,.tile{break-inside:avoid}\
thead{display:table-header-group}a{color:inherit;text-decoration:none}}";

/// A page. `of`: what it is about, below the title; `whose`: beside it at the top of the window. Both and the title are text, `body` is markup.
pub(super) fn document(title: &str, of: &str, whose: &str, body: &str) -> String {
    let (title, of, whose) = (escaped(title), escaped(of), escaped(whose));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}: {whose}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p class=\"of\">{of}</p>\n{body}</body>\n</html>\n"
    )
}

/// As text that means itself anywhere in a page.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}
