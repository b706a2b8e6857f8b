"""The look of the pages for people: one HTML file that needs no network and no script."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

__all__ = ["Cell", "bars", "document", "gallery", "histogram", "section", "table", "tiles"]

Cell = str | int | float

_STYLE = """
:root{--ink:#17252b;--soft:#54666e;--line:#d5dee2;--ground:#f5f7f8;--accent:#0b6b74;--tint:#dbecee}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:72rem;margin:0 auto;padding:2.5rem 1.5rem}
h1{font-size:1.7rem;line-height:1.2;letter-spacing:-.015em;margin:0 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:0 0 .75rem}
p{margin:0 0 .6rem;max-width:60rem}
.soft{color:var(--soft)}
section{background:#fff;border:1px solid var(--line);border-radius:10px;padding:1.2rem 1.4rem;margin:1rem 0;
break-inside:avoid}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:0 1rem;align-items:start}
.tiles{display:flex;flex-wrap:wrap;gap:0 3rem;margin:1.4rem 0}
.tiles b{display:block;font-size:1.7rem;font-weight:600;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
td,th{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;
font-variant-numeric:tabular-nums;overflow-wrap:break-word}
th{font-weight:600;color:var(--soft);font-size:.86rem}
td.n,th.n{text-align:right;white-space:nowrap;overflow-wrap:normal}
td.same{background:var(--tint)}
tr:last-child td{border-bottom:0}
.bar{height:.7rem;margin-top:.4rem;background:var(--accent);border-radius:2px;min-width:1px}
td.b{width:38%}
svg{width:100%;max-width:40rem;height:auto;display:block}
svg rect{fill:var(--accent)}
svg text{font-size:12px;fill:var(--soft)}
svg line{stroke:var(--line)}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1.2rem}
figure{margin:0;break-inside:avoid}
figure img,.none{display:block;width:100%;height:11rem;object-fit:contain;background:var(--ground);
border:1px solid var(--line);border-radius:6px}
.none{display:grid;place-items:center;color:var(--soft);font-size:.86rem}
figcaption{margin-top:.4rem;font-size:.86rem;overflow-wrap:anywhere}
figcaption span{color:var(--soft);display:block}
footer{color:var(--soft);font-size:.86rem;margin-top:1.5rem}
@media (max-width:40rem){main{padding:1.5rem .8rem}section{padding:1rem}.b{display:none}.tiles{gap:.6rem 2rem}}
@media print{body{background:#fff}main{padding:0}}
"""


def document(title: str, facts: Sequence[str], parts: Sequence[str], *, foot: str) -> str:
    """A whole page.

    Args:
        title: Its heading.
        facts: Sentences below it, as text.
        parts: Markup.
        foot: The last line, as text.
    """
    told = "".join(f'<p class="soft">{escape(fact)}</p>' for fact in facts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>{told}"
        f"{''.join(parts)}<footer>{escape(foot)}</footer></main></body></html>\n"
    )


def section(title: str, *parts: str, note: str = "") -> str:
    """A part of the page with its heading."""
    told = f'<p class="soft">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{told}{''.join(parts)}</section>"


def tiles(figures: Sequence[tuple[str, str]]) -> str:
    """A few large figures: each with what it counts."""
    shown = (f'<div><b>{escape(value)}</b><span class="soft">{escape(name)}</span></div>' for value, name in figures)
    return f'<div class="tiles">{"".join(shown)}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, same: bool = False) -> str:
    """A table; numbers stand to the right.

    Args:
        head: Titles of the columns.
        rows: Text and numbers.
        same: Whether the cells in which row and column are the same are tinted.
    """
    numbers = [bool(rows) and not isinstance(rows[0][place], str) for place in range(len(head))]
    titles = "".join(
        f'<th scope="col"{" class=n" if number else ""}>{escape(title)}</th>'
        for title, number in zip(head, numbers, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(_cell(cell, tinted=same and place == line + 1) for place, cell in enumerate(row)) + "</tr>"
        for line, row in enumerate(rows)
    )
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def bars(head: tuple[str, str], rows: Sequence[tuple[str, int]], *, of: int) -> str:
    """Counts, each with its share as a bar.

    Args:
        head: What is counted, and the title of the counts.
        rows: Names and counts.
        of: What a full bar means.
    """
    lines = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{count:,}</td><td class="n">{count / max(of, 1):.1%}</td>'
        f'<td class="b">{_bar(count / max(of, 1)) if count else ""}</td></tr>'
        for name, count in rows
    )
    titles = f'<th scope="col">{escape(head[0])}</th>'
    titles += "".join(f'<th scope="col" class="n">{escape(title)}</th>' for title in (head[1], "share"))
    return (
        f'<div class="wide"><table><thead><tr>{titles}<th class="b"></th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def histogram(counts: Sequence[int], *, low: float, high: float, unit: str) -> str:
    """Counts in equal steps from ``low`` to ``high``, drawn as bars with three marks below."""
    width, height, most = 440, 120, max(counts, default=0) or 1
    step = width / len(counts)
    drawn = "".join(
        f'<rect x="{place * step + 1:.1f}" y="{height - height * count / most:.1f}" width="{step - 2:.1f}" '
        f'height="{height * count / most:.1f}"><title>{count:,}</title></rect>'
        for place, count in enumerate(counts)
        if count
    )
    marks = "".join(
        f'<text x="{share * width:.0f}" y="{height + 16}" text-anchor="{anchor}">'
        f"{low + share * (high - low):g} {escape(unit)}</text>"
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    label = f"Histogram, highest bar {max(counts, default=0):,}"
    return (
        f'<svg viewBox="0 0 {width} {height + 20}" role="img" aria-label="{label}">{drawn}'
        f'<line x1="0" x2="{width}" y1="{height}" y2="{height}"/>{marks}</svg>'
    )


def gallery(shown: Sequence[tuple[bytes | None, str, Sequence[str]]]) -> str:
    """Pictures with a name and lines below each; ``None`` for a picture that is not there."""
    figures = (
        f"<figure>{_picture(picture, name)}<figcaption>{escape(name)}"
        f"{''.join(f'<span>{escape(line)}</span>' for line in lines)}</figcaption></figure>"
        for picture, name, lines in shown
    )
    return f'<div class="gallery">{"".join(figures)}</div>'


def _bar(share: float) -> str:
    return f'<div class="bar" style="width:{share:.2%}"></div>'


def _picture(picture: bytes | None, name: str) -> str:
    if picture is None:
        return '<div class="none">no picture</div>'
    return f'<img alt="{escape(name)}" src="data:image/jpeg;base64,{b64encode(picture).decode()}">'


def _cell(cell: Cell, *, tinted: bool) -> str:
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    shown = f"{cell:,}" if isinstance(cell, int) else f"{cell:,.3g}"
    return f'<td class="n{" same" if tinted else ""}">{shown}</td>'
