"""Rules of the house that a program can check: sizes, words of docstrings, width of documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CODE = ("var_core", "training")  # folders with bounds on sizes
APP_LINES = 120
FILE_LINES, CLASS_LINES, FUNCTION_LINES = 350, 250, 60
MARKDOWN_COLUMNS = 120
IGNORED = {"venv", "node_modules", "data", "runs", "models"}
SECTIONS = ("Args:", "Attributes:", "Returns:", "Yields:", "Raises:")
# An argument line names a thing; these words begin a clause whose noun is missing.
NO_NOUN = re.compile(
    r"(of|gives|hears|likewise|tells|as|is|are|does|draws|asks|takes|knows|may|must|where|whose|who"
    r"|which|from|for|in|by|with|to|that|until|so|returns)\b",
    re.IGNORECASE,
)
ENTRY = re.compile(r"(\*{0,2}\w+)(?: \([^)]*\))?: *(\S.*)")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def python_files(root: Path) -> list[Path]:
    """All modules with bounds on their sizes, and `app.py`."""
    found = [root / "app.py"]
    for folder in CODE:
        found += sorted((root / folder).rglob("*.py"))
    return found


def length(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """Lines from `def` or `class` to the end, decorators left out."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def sizes(root: Path) -> Iterator[str]:
    """Files, classes and functions beyond their bounds."""
    for path in python_files(root):
        name, text = path.relative_to(root), path.read_text("utf-8")
        limit = APP_LINES if name == Path("app.py") else FILE_LINES
        lines = len(text.splitlines())
        if lines > limit:
            yield f"{name}: {lines} lines, at most {limit}"
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            limit = CLASS_LINES if isinstance(node, ast.ClassDef) else FUNCTION_LINES
            if length(node) > limit:
                yield f"{name}:{node.lineno}: {node.name} has {length(node)} lines, at most {limit}"


def argument_lines(docstring: str) -> Iterator[tuple[str, str]]:
    """(name, description) of each argument and attribute in a docstring of Google's style."""
    section, indent = "", 0
    for line in docstring.splitlines():
        words = line.strip()
        depth = len(line) - len(line.lstrip())
        if words in SECTIONS:
            section, indent = words, 0
        elif section in ("Args:", "Attributes:") and words:
            indent = indent or depth
            entry = ENTRY.match(words)
            if depth == indent and entry:
                yield entry[1], entry[2]


def words(root: Path) -> Iterator[str]:
    """Argument lines that begin without a noun."""
    for path in python_files(root):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, Definition):
                continue
            for name, text in argument_lines(ast.get_docstring(node) or ""):
                if NO_NOUN.match(text):
                    line = getattr(node, "lineno", 1)
                    yield f"{path.relative_to(root)}:{line}: `{name}: {text}`"


def wide_lines(root: Path, path: Path) -> Iterator[str]:
    """Lines of a Markdown file beyond its columns; tables, pictures and front matter may be."""
    front = False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line == "---" and (number == 1 or front):
            front = not front
        free = front or line.lstrip().startswith(("|", "![", "[![", "<img"))
        if len(line) > MARKDOWN_COLUMNS and not free:
            yield f"{path.relative_to(root)}:{number}: {len(line)} columns"


def markdown(root: Path) -> Iterator[str]:
    """Documents with lines beyond their columns."""
    for path in sorted(root.rglob("*.md")):
        folders = path.relative_to(root).parts[:-1]
        hidden = [name for name in folders if name.startswith(".") and name != ".github"]
        if not hidden and not IGNORED & set(folders[:1]):
            yield from wide_lines(root, path)
