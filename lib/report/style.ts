/** The style sheet of every page: light, dark, phone and paper. No font, picture or script is loaded. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2029;--soft:#5b6472;--faint:#8a93a1;--line:#e3e6eb;--grid:#eceef2;
--accent:#2456b8;--good:#1a7f4b;--warn:#9a5b00;--bad:#b3261e;--chip:#eef2fa;
--c1:#2a66c8;--c2:#d9641a;--c3:#7a828f;--c4:#1f8f5f;--c5:#8a4fc0;--c6:#c2336b;--c7:#0f8fa3;--c8:#9a7b12}
@media(prefers-color-scheme:dark){:root{--bg:#101318;--card:#181c23;--ink:#e7eaef;--soft:#a5adba;--faint:#7b8492;--line:#2a303a;--grid:#232932;
--accent:#8ab4ff;--good:#5fcf96;--warn:#f0b45a;--bad:#ff8a80;--chip:#202836;
--c1:#6aa3ff;--c2:#ff9a57;--c3:#98a1af;--c4:#55cb97;--c5:#bf92f0;--c6:#f37ba6;--c7:#4fc7da;--c8:#d9b84a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1040px;margin:0 auto;padding:36px 20px 48px}
header{margin-bottom:24px}
.kicker{margin:0;color:var(--accent);font-size:13px;font-weight:600;letter-spacing:.02em}
h1{margin:2px 0 8px;font-size:30px;line-height:1.2;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{margin:0 0 4px;font-size:19px;letter-spacing:-.01em}
h3{margin:18px 0 6px;font-size:15px}
p{margin:6px 0}p.legend{display:flex;margin:10px 0 0;font-size:13.5px;color:var(--soft)}
a{color:var(--accent)}
.lead{color:var(--soft);max-width:70ch}
.chip{display:inline-block;padding:1px 9px;border-radius:99px;background:var(--chip);color:var(--soft);font-size:13px;font-weight:600;margin:0 6px 4px 0}
.chip.good{color:var(--good)}.chip.warn{color:var(--warn)}.chip.bad{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0 0}
.tile,section{background:var(--card);border:1px solid var(--line);border-radius:12px}
.tile{padding:12px 16px}
.tile b{display:block;font-size:22px;letter-spacing:-.01em;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.tile span{color:var(--soft);font-size:13px}
.tile small{display:block;color:var(--faint);font-size:12.5px}
section{padding:20px 22px;margin:16px 0}
.note,.absent{color:var(--soft);font-size:14px}
.absent{font-style:italic}
.warning{border-left:3px solid var(--warn);padding-left:10px}
figure{margin:14px 0 0}
figcaption{font-size:13.5px;color:var(--soft);margin-bottom:4px}
figcaption b{color:var(--ink);font-weight:600;margin-right:14px}
.charts{display:grid;grid-template-columns:1fr;gap:10px 26px}
.legend{display:inline-flex;flex-wrap:wrap;gap:0 14px}
.key{display:inline-flex;align-items:center;gap:6px;white-space:nowrap}
.key svg{width:22px;height:10px;flex:none}
.chart svg.wide,.chart svg.narrow{display:block;width:100%;height:auto;overflow:visible}
.chart svg.narrow{display:none}
svg text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}
svg .end{text-anchor:end}svg .middle{text-anchor:middle}
svg .tick{fill:var(--faint)}
.grid{stroke:var(--grid);fill:none}.axis,.notch{stroke:var(--faint);fill:none}
${[1, 2, 3, 4, 5, 6, 7, 8].map((n) => `.c${n}{--c:var(--c${n})}`).join("")}
.line{stroke:var(--c);fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.dashed{stroke-dasharray:5 5;stroke-width:1.6}
.band{fill:var(--c);opacity:.2;stroke:none}
.dot{fill:var(--c);stroke:var(--card);stroke-width:1.5}
.stop rect{fill:transparent}.stop .cross,.stop .reading{visibility:hidden}
.stop:hover .cross,.stop:hover .reading{visibility:visible}
.mean{stroke:var(--ink);stroke-width:2.5}
.cross{stroke:var(--faint);stroke-dasharray:2 3}
.reading{text-anchor:end;fill:var(--ink)!important;font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:6px}
.scroll{overflow-x:auto;margin:10px -4px 0;padding:0 4px}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 12px 5px 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th{color:var(--soft);font-weight:600;font-size:13px;vertical-align:bottom}
th:first-child,td:first-child{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:9em}
tr:last-child td{border-bottom:0}
tfoot td,tr.mean td{border-top:1.5px solid var(--line);font-weight:600}
td small,th small{color:var(--faint);font-weight:400}
td.best{font-weight:700}
td.bar{background:linear-gradient(var(--chip),var(--chip)) no-repeat 0 0/var(--v) 100%}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:10px 22px;margin:12px 0 4px}
dt{color:var(--soft);font-size:13px}
dd{margin:0;font-weight:500;overflow-wrap:anywhere}
details{margin-top:14px}summary{cursor:pointer;color:var(--accent);font-size:14px}
pre{overflow-x:auto;background:var(--bg);border:1px solid var(--line);border-radius:8px;padding:12px 14px;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.planes{display:grid;gap:6px;background:#0b0c0f;border-radius:10px;padding:10px;margin-top:8px;color:#cfd4dc}
.planes>span{align-self:center;justify-self:center;font-size:12.5px;color:#9aa2ae}
.planes>span.row{writing-mode:vertical-rl;transform:rotate(180deg)}
.plane{position:relative;line-height:0;display:flex;align-items:center;justify-content:center}
.plane>div{position:relative;max-width:100%}
.plane img{max-width:100%;height:auto;display:block}
.plane svg{position:absolute;inset:0;width:100%;height:100%}
.plane i{position:absolute;font:600 11px/16px system-ui,sans-serif;width:16px;text-align:center;border-radius:4px;color:#e7eaef;background:#0b0c0fb0}
.plane i.left{left:3px;top:calc(50% - 8px)}.plane i.top{top:3px;left:calc(50% - 8px)}
.area{fill:var(--c);fill-opacity:.3;stroke:var(--c);stroke-width:1.1;stroke-dasharray:2 2.5;vector-effect:non-scaling-stroke}.solid{fill:var(--c)}
.overlay{--c1:#3d8bff;--c2:#ff7a1a;--c3:#cfd4dc;--c4:#19c37d;--c5:#b36bff;--c6:#ff4f93;--c7:#12c5dd;--c8:#ffd23f}
.outline,.halo{fill:none;stroke:var(--c);stroke-width:1.7;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.halo{stroke:#000;stroke-opacity:.55;stroke-width:3.4}
footer{color:var(--faint);font-size:13px;margin-top:24px}
@media(min-width:760px),print{.charts.pair{grid-template-columns:1fr 1fr}}
@media(max-width:640px){main{padding:20px 12px 32px}section{padding:16px 14px}h1{font-size:24px}
.tiles{grid-template-columns:1fr 1fr;gap:8px}.tile{padding:10px 12px}.tile b{font-size:18px}
.chart svg.wide{display:none}.chart svg.narrow{display:block}
dl{grid-template-columns:1fr 1fr}.planes{padding:6px;gap:4px}}
@media print{:root{color-scheme:light;--bg:#fff}body{font-size:12px}main{max-width:none;padding:0}.tile,figure,tr{break-inside:avoid}section,.tile{border-color:#ccc}h2,h3,figcaption{break-after:avoid}
details:not([open]){display:none}.stop{display:none}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
