"""Settings of the documentation site, which ``make docs`` builds into ``build/docs``."""

import os
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

from ecglens import __version__

sys.path.insert(0, str(Path(__file__).parent))

lexers["mermaid"] = TextLexer()  # a diagram's source is readable, and drawing it would load a script from elsewhere

project, author = "ecglens", "The ecglens developers"
project_copyright = author
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "myst-nb"}
root_doc = "index"
exclude_patterns = ["results"]
html_theme = "pydata_sphinx_theme"
html_title = "ecglens"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    # Address of the repository, for a link in the header; a setting, because forks have their own.
    "icon_links": [{"name": "Source", "url": url, "icon": "fa-brands fa-git-alt"}]
    if (url := os.environ.get("ECGLENS_DOCS_REPOSITORY"))
    else [],
}
html_show_sourcelink = False
html_static_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
# Links to files of the repository that are not part of the site, such as source files, are shown as text.
suppress_warnings = ["myst.xref_missing"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "separated"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
