"""A model's card as HTML: Markdown of unknown authors, so that no HTML in it is let through."""

from markdown_it import MarkdownIt

__all__ = ["render_html"]

_DASHES = "---\n"


def render_html(text: str) -> str:
    r"""Render Markdown, without front matter and pictures, with lower headings and links only to the web.

    >>> render_html("---\nlicense: mit\n---\n# Name <b>\n\n[x](javascript:alert(1))")
    '<h2>Name &lt;b&gt;</h2>\n<p>[x](javascript:alert(1))</p>\n'
    """
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable("image")
    tokens = reader.parse(_strip_front_matter(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        token.attrs.pop("style", None)  # aligned columns have one; the site allows no styles in attributes
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs["rel"] = "noopener nofollow"
    return str(reader.renderer.render(tokens, reader.options, {}))


def _strip_front_matter(text: str) -> str:
    """Remove the lines between the first two lines of dashes, which model hubs read."""
    text = text.replace("\r\n", "\n")
    if not text.startswith(_DASHES):
        return text
    _, separator, body = text[len(_DASHES) :].partition(f"\n{_DASHES}")
    return body if separator else text
