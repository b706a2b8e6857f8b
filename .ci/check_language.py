"""Report the private dialect of the first edition in names, docstrings, messages, templates and Markdown.

The words and their replacements are data, in ``banned_words.toml`` beside this script. Usage::

    python .ci/check_language.py                          # the whole repository
    python .ci/check_language.py --paths docs src/ecglens/pages
    python .ci/check_language.py --counts                 # a table: packages and rules
    python .ci/check_language.py --rules identifier prose

Rules: ``identifier`` (a banned word in a name that the file binds), ``participle`` (a function whose whole name is a
participle), ``prose`` (a banned phrase in text), ``opening`` (a docstring or help text that begins as half a sentence),
``verb`` (the docstring of a public function that does not begin with a verb). Exit status 1: something was reported.
"""

from __future__ import annotations

import argparse
import ast
import collections
import dataclasses
import html
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).with_name("banned_words.toml")
RULES = ("identifier", "participle", "prose", "opening", "verb")
SUFFIXES = {".py", ".md", ".html"}
EVERYTHING = (
    "src",
    "tests",
    "docs",
    "benchmarks",
    "examples",
    ".ci",
    ".github",
    *sorted(p.name for p in ROOT.glob("*.md")),
)
SKIPPED_FILES = {"test_check_language.py"}  # holds the banned words as examples
SKIPPED_FOLDERS = {"migrations", "vendor", "__pycache__", "node_modules"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One place where a rule is broken, and what to write there."""

    path: Path
    line: int
    rule: str
    text: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path.as_posix()}:{self.line}: {self.rule}: {self.text}; write {self.instead}"


@dataclasses.dataclass(frozen=True)
class _NameRule:
    whole: frozenset[str]
    parts: frozenset[str]
    exceptions: frozenset[str]
    instead: str


@dataclasses.dataclass(frozen=True)
class Words:
    """The data file, ready for matching."""

    names: tuple[_NameRule, ...]
    prose: tuple[tuple[re.Pattern[str], str], ...]
    openings: tuple[str, ...]
    boolean_openings: tuple[str, ...]
    opening_instead: str
    verbs: frozenset[str]
    verb_instead: str
    not_participles: frozenset[str]
    participle_instead: str


def load_words(path: Path = DATA) -> Words:
    """Read the data file."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    verbs = data["verbs"]["words"].split()
    return Words(
        names=tuple(_name_rule(entry) for entry in data["identifiers"]),
        prose=tuple((re.compile(entry["pattern"], re.IGNORECASE), entry["instead"]) for entry in data["prose"]),
        openings=tuple(data["openings"]["words"]),
        boolean_openings=tuple(data["openings"]["boolean"]),
        opening_instead=data["openings"]["instead"],
        verbs=frozenset(verbs) | frozenset(_third_person(verb) for verb in verbs),
        verb_instead=data["verbs"]["instead"],
        not_participles=frozenset(data["participles"]["except"]),
        participle_instead=data["participles"]["instead"],
    )


def check_file(path: Path, text: str, words: Words) -> list[Finding]:
    """Check one file by its suffix; ``path`` only names it in the findings."""
    if path.suffix == ".py":
        findings = list(_check_python(path, text, words))
    else:
        clean = strip_markdown(text) if path.suffix == ".md" else strip_template(text)
        findings = [
            finding
            for number, line in enumerate(clean.split("\n"), 1)
            for finding in _check_prose(path, number, line, words)
        ]
    return sorted(set(findings))


def strip_markdown(text: str) -> str:
    """Replace code, link targets and comments in Markdown with blanks; lines keep their numbers."""
    text = re.sub(r"^( *)(```|~~~).*?^ *\2 *$", _blank, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->|<[^>\n]+>", _blank, text, flags=re.DOTALL)
    text = re.sub(r"(`+)(?!`).+?\1", _blank, text)
    return re.sub(r"\]\([^)\n]*\)", "]", text)


def strip_template(text: str) -> str:
    """Replace tags, scripts and styles in a Django template with blanks; texts to translate stay."""
    text = re.sub(r"\{#.*?#\}|\{% comment.*?endcomment %\}|<(script|style)\b.*?</\1>", _blank, text, flags=re.DOTALL)
    text = re.sub(r"\{%\s*trans(?:late)?\s+(\"|')(.*?)\1.*?%\}", r" \2 ", text)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", _blank, text, flags=re.DOTALL)
    text = re.sub(r"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", _blank, text)
    return html.unescape(text)


def package_of(path: Path) -> str:
    """Return the package that a file belongs to: ``src/ecglens/leads``, ``tests/web``, ``docs``, or ``.``."""
    parts = path.parts[:-1]
    deep = parts[:3] in (("src", "ecglens", "web"), ("src", "ecglens", "models"))
    depth = {"src": 4 if deep else 3, "tests": 2}.get(parts[0] if parts else "", 1)
    return "/".join(parts[:depth]) or "."


def list_files(paths: Iterable[Path]) -> Iterator[Path]:
    """List the files to check below the paths, in order; hidden folders, migrations and vendored files are left out."""
    for path in paths:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in below:
            inner = file.relative_to(path).parts[:-1] if path.is_dir() else ()
            hidden = any(part.startswith(".") or part in SKIPPED_FOLDERS for part in inner)
            if file.is_file() and file.suffix in SUFFIXES and not hidden and file.name not in SKIPPED_FILES:
                yield file


def count_table(findings: Iterable[Finding]) -> str:
    """Return a Markdown table of the findings: a row for each package, a column for each rule."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for finding in findings:
        counts[package_of(finding.path)][finding.rule] += 1
        counts["**all**"][finding.rule] += 1
    rows = [["package", *RULES, "sum"], ["---"] * (len(RULES) + 2)]
    for package in sorted(counts, key=lambda name: (-sum(counts[name].values()), name)):
        numbers = [counts[package][rule] for rule in RULES]
        rows.append([package, *map(str, numbers), str(sum(numbers))])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main(arguments: list[str] | None = None) -> int:
    """Check the paths, print the findings and return the exit status."""
    parser = argparse.ArgumentParser(description="Check names and texts for plain English.")
    parser.add_argument(
        "--paths", nargs="+", default=None, help="Files and folders to check, from the repository root."
    )
    parser.add_argument("--rules", nargs="+", choices=RULES, default=RULES, help="Rules to apply; all by default.")
    parser.add_argument("--counts", action="store_true", help="Print a table by package and rule instead of findings.")
    options = parser.parse_args(arguments)
    named = options.paths if options.paths is not None else [name for name in EVERYTHING if (ROOT / name).exists()]
    paths = [ROOT / name for name in named]
    missing = [name for name, path in zip(named, paths, strict=True) if not path.exists()]
    if missing:
        parser.error(f"Expected files or folders of the repository, got {', '.join(missing)}; check --paths.")
    words = load_words()
    findings = [
        finding
        for file in dict.fromkeys(list_files(paths))
        for finding in check_file(file.relative_to(ROOT), file.read_text(encoding="utf-8"), words)
        if finding.rule in options.rules
    ]
    print(count_table(findings) if options.counts else "\n".join(map(str, findings)), end="\n" if findings else "")
    return 1 if findings else 0


def _check_python(path: Path, text: str, words: Words) -> Iterator[Finding]:
    tree = ast.parse(text)
    yield from _check_names(path, tree, words)
    yield from _check_docstrings(path, tree, words)
    yield from _check_help(path, tree, words)
    for line, prose in _python_prose(tree, text):
        yield from _check_prose(path, line, prose, words)


def _check_names(path: Path, tree: ast.Module, words: Words) -> Iterator[Finding]:
    module = path.stem if path.stem not in ("__init__", "__main__") else path.parent.name
    yield from _check_name(path, 1, module, words)
    for line, name in bound_names(tree):
        yield from _check_name(path, line, name, words)
    for node in ast.walk(tree):
        if isinstance(node, _Function) and not _is_noun(node) and _is_participle(node.name, words):
            yield Finding(path, node.lineno, "participle", f"function `{node.name}`", words.participle_instead)


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """List the names that a file binds, with their lines; names of tests are sentences and left to the prose rule."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | _Function):
            if not node.name.startswith("test_"):
                yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.lineno, node.name


def _check_name(path: Path, line: int, name: str, words: Words) -> Iterator[Finding]:
    bare = name.strip("_")
    parts = _split_name(bare)
    for rule in words.names:
        banned = rule.parts.intersection(parts) or rule.whole.intersection(["_".join(parts)])
        if banned and bare not in rule.exceptions:
            yield Finding(path, line, "identifier", f"`{name}`", rule.instead)


def _check_docstrings(path: Path, tree: ast.Module, words: Words) -> Iterator[Finding]:
    for node, line, text in _docstrings(tree):
        first = text.strip().split("\n")[0]
        boolean = node is None or (isinstance(node, _Function) and _is_noun(node))
        if _is_half_sentence(first, words, boolean=boolean):
            yield Finding(path, line, "opening", f'"{first[:60]}"', words.opening_instead)
        elif isinstance(node, _Function) and _needs_verb(node) and not _is_sentence(first, words):
            yield Finding(path, line, "verb", f'"{first[:60]}"', words.verb_instead)


def _check_help(path: Path, tree: ast.Module, words: Words) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("help", "help_text"):
            text = _text_of(node.value)
            if text and _is_half_sentence(text.strip(), words, boolean=True):
                yield Finding(path, node.value.lineno, "opening", f'"{text.strip()[:60]}"', words.opening_instead)


def _check_prose(path: Path, line: int, text: str, words: Words) -> Iterator[Finding]:
    for pattern, instead in words.prose:
        for match in pattern.finditer(text):
            number = line + text.count("\n", 0, match.start())
            yield Finding(path, number, "prose", f'"{" ".join(match.group().split())}"', instead)


def _python_prose(tree: ast.Module, text: str) -> Iterator[tuple[int, str]]:
    """List comments, strings with a space in them, and the names of tests as sentences."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, _Function) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")
        elif isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and id(node) not in inner):
            value = _text_of(node)
            if value and " " in value:
                yield node.lineno, value


def _docstrings(tree: ast.Module) -> Iterator[tuple[ast.AST | None, int, str]]:
    """List docstrings with what they describe; ``None`` for the string below an attribute or a constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | _Function) and (text := ast.get_docstring(node)):
            yield node, node.body[0].lineno, text
        for previous, each in zip(_body(node), _body(node)[1:], strict=False):
            if isinstance(previous, ast.Assign | ast.AnnAssign) and isinstance(each, ast.Expr):
                text = _text_of(each.value) if isinstance(each.value, ast.Constant) else ""
                if text:
                    yield None, each.lineno, text


def _body(node: ast.AST) -> list[ast.stmt]:
    return node.body if isinstance(node, ast.Module | ast.ClassDef) else []


def _needs_verb(node: _Function) -> bool:
    return not (node.name.startswith("_") or _is_noun(node) or node.name.startswith("test_"))


def _is_noun(node: _Function) -> bool:
    """Return whether a function is used as a value: a property, a fixture, a setter of one."""
    names = {name for each in node.decorator_list for name in _split_name(ast.unparse(each).replace(".", "_"))}
    return bool(names & {"property", "fixture", "setter"})


def _is_participle(name: str, words: Words) -> bool:
    whole = name.strip("_").lower()
    return bool(re.fullmatch(r"[a-z]+ed", whole)) and whole not in words.not_participles | words.verbs


def _is_half_sentence(first: str, words: Words, *, boolean: bool) -> bool:
    openings = [word for word in words.openings if re.match(rf"{word}\b", first)]
    if not openings or (boolean and openings[0] in words.boolean_openings):
        return False
    return not _has_verb_after_comma(first, words)


def _is_sentence(first: str, words: Words) -> bool:
    begins_with_clause = any(re.match(rf"{word}\b", first) for word in (*words.openings, "If", "When", "Given", "On"))
    return _begins_with_verb(first, words) or (begins_with_clause and _has_verb_after_comma(first, words))


def _has_verb_after_comma(text: str, words: Words) -> bool:
    """Return whether a text is a sentence such as "For each row, return its pitch"."""
    return any(_begins_with_verb(clause, words) for clause in text.split(", ")[1:])


def _begins_with_verb(text: str, words: Words) -> bool:
    match = re.match(r"(?:[Aa]lso |[Nn]ever |[Dd]o not |[Rr]e-)?([A-Za-z]+)(,?)(?: (\w+))?", text)
    if match is None or match.group(1).lower() not in words.verbs or match.group(3) == "of":
        return False
    return not match.group(2) or (match.group(3) or "") in words.verbs | {"then"}


def _text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _split_name(name: str) -> list[str]:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_")


def _third_person(verb: str) -> str:
    if re.search(r"(?:s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def _name_rule(entry: dict[str, Any]) -> _NameRule:
    words = frozenset(entry["words"])
    parts = words if entry["where"] == "part" else frozenset()
    return _NameRule(words - parts, parts, frozenset(entry.get("except", ())), entry["instead"])


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group())


if __name__ == "__main__":
    sys.exit(main())
