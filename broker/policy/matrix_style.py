"""How the page of the matrix looks, on a screen of any width and on paper. A rule that sets a colour sets both."""

from __future__ import annotations

STYLE = """
*, *::before, *::after { box-sizing: border-box; }
html { color: #1b1f24; background-color: #ffffff; font: 100%/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
body { max-width: 90rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 0.5rem; }
h3 { font-size: 1.05rem; margin: 0 0 0.5rem; }
p, .contents, .groups dd { max-width: 48rem; }
a { color: #0b4f8a; background-color: #ffffff; text-underline-offset: 0.15em; }
a:focus-visible { outline: 3px solid #0b4f8a; outline-offset: 2px; }
.skip { position: absolute; left: -100rem; padding: 0.75rem; }
.skip:focus { left: 0.5rem; top: 0.5rem; }
.contents { padding-left: 1.25rem; }
.contents li, .cell li { margin: 0; }
.contents a { display: inline-block; padding: 0.25rem 0; }
.quiet { color: #4b535c; background-color: #ffffff; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; margin: 1rem 0 2rem; }
caption { text-align: left; font-weight: 600; padding: 0.5rem 0; }
th, td { border: 1px solid #6b7580; padding: 0.5rem; text-align: left; vertical-align: top; font-size: 0.9rem; }
th { hyphens: auto; color: #1b1f24; background-color: #e9eef3; font-weight: 600; }
td.nothing { color: #4b535c; background-color: #ffffff; text-align: center; }
.from { display: none; }
.cell + .cell { border-top: 1px dashed #6b7580; margin-top: 0.5rem; padding-top: 0.5rem; }
.cell ul { margin: 0.25rem 0 0; padding-left: 1.1rem; }
.cell a { display: inline-block; font-weight: 600; padding: 0.125rem 0; }
.purpose { border-top: 2px solid #6b7580; padding: 1rem 0; }
dl { margin: 0; }
dl > div { display: grid; grid-template-columns: 10rem minmax(0, 1fr); gap: 1rem; padding: 0.2rem 0; }
dt { font-weight: 600; }
dd { margin: 0; max-width: 56rem; }
@media screen and (max-width: 50rem) {
  table, caption, tbody, tr, tbody th, td { display: block; width: 100%; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { margin-bottom: 1.5rem; border: 1px solid #6b7580; }
  tbody th, td { border: 0; border-bottom: 1px solid #6b7580; }
  tr > :last-child { border-bottom: 0; }
  td.nothing { display: none; }
  .from { display: block; font-weight: 600; }
  dl > div { grid-template-columns: minmax(0, 1fr); gap: 0; padding: 0.35rem 0; }
}
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  html { font-size: 9pt; }
  body { max-width: none; padding: 0; }
  .skip, .contents { display: none; }
  h2 { break-after: avoid; }
  h1 { margin-top: 0; }
  caption { break-after: avoid; }
  thead { display: table-header-group; }
  tr, .purpose { break-inside: avoid; }
  p, .groups dd { max-width: none; }
  .purposes { columns: 2; column-gap: 1.5rem; }
  .purpose { padding: 0.5rem 0; }
  dl > div { grid-template-columns: 7rem minmax(0, 1fr); gap: 0.5rem; padding: 0.1rem 0; }
  .cell ul { padding-left: 1.4rem; }
  th, td { font-size: 8.5pt; padding: 0.3rem; }
  a { color: #1b1f24; background-color: #ffffff; text-decoration: none; }
  th { print-color-adjust: exact; }
}
"""
