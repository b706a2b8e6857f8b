"""A model's card as HTML: Markdown that anybody may have written, so that no HTML in it is let through."""

from markdown_it import MarkdownIt

__all__ = ["to_html"]

_HEAD = "---\n"


def to_html(text: str) -> str:
    r"""Markdown as HTML, without its head for hubs, headings one level lower, links only to the web, no pictures.

    >>> to_html("---\nlicense: mit\n---\n# Name <b>\n\n[x](javascript:alert(1))")
    '<h2>Name &lt;b&gt;</h2>\n<p>[x](javascript:alert(1))</p>\n'
    """
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable("image")
    tokens = reader.parse(_without_head(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        token.attrs.pop("style", None)  # of aligned columns; the site allows no styles in attributes
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs["rel"] = "noopener nofollow"
    return str(reader.renderer.render(tokens, reader.options, {}))


def _without_head(text: str) -> str:
    """Hubs read what stands between the first two lines of dashes."""
    text = text.replace("\r\n", "\n")
    if not text.startswith(_HEAD):
        return text
    head, closed, rest = text[len(_HEAD) :].partition(f"\n{_HEAD}")
    return rest if closed else text
