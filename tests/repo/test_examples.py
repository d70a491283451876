"""Every Python example of README.md and docs/ runs as printed, on an embedded store.

The ```python blocks of a page run in order and share one namespace, as if a reader typed them into
one session. Each block gets an empty store, so its enqueues really happen. Functions named `test_…`
that a block defines are called after it, as pytest would. A block that can't run says why in its
fence: ```python no-run <reason>.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import CodeType, ModuleType
from typing import Any, cast

import pytest

from shared.testing import embedded_store

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST_SKIPPED = 3
SHORTEST_REASON = 10
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^ *(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page: its info string, its text, and the line where the text begins."""

    page: str
    line: int
    info: str
    text: str

    @property
    def no_run(self) -> str | None:
        """The reason not to run it; None for a block that runs."""
        words = self.info.split(maxsplit=2)
        return (words[2] if len(words) > 2 else "") if words[1:2] == ["no-run"] else None

    def compiled(self) -> CodeType:
        """The block's code. Its line numbers are the page's."""
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        text = "\n" * (self.line - 1) + self.text
        code: CodeType = compile(text, self.page, "exec", flags)
        return code


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    content = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(
            name,
            content.count("\n", 0, match.start("text")) + 1,
            match["info"].strip(),
            dedent(match["text"]),
        )
        for match in _FENCE.finditer(content)
    ]


def python_blocks(page: Path) -> list[Block]:
    """The page's Python examples, those that must not run included."""
    return [block for block in blocks(page) if block.info.lower().startswith("py")]


EXAMPLES = {page: examples for page in PAGES if (examples := python_blocks(page))}


async def _run(block: Block, module: ModuleType) -> None:
    async with embedded_store():
        pending = eval(block.compiled(), module.__dict__)  # noqa: S307 - the page is the program
        if inspect.iscoroutine(pending):
            await pending


def _call_tests(module: ModuleType, names: list[str], runner: asyncio.Runner) -> None:
    """Call test functions outside of any running loop, as pytest does."""
    for name in names:
        pending = module.__dict__[name]()
        if inspect.iscoroutine(pending):
            runner.run(cast("Any", pending))


def _tests(module: ModuleType) -> list[str]:
    return [name for name in module.__dict__ if name.startswith("test_")]


@pytest.mark.parametrize(
    "page", EXAMPLES, ids=lambda page: page.relative_to(ROOT).as_posix().replace("/", ".")
)
def test_the_examples_of_a_page_run_as_printed(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    monkeypatch.chdir(tmp_path)

    with asyncio.Runner() as runner:
        for block in EXAMPLES[page]:
            if block.no_run is None:
                before = _tests(module)
                runner.run(_run(block, module))
                fresh = [name for name in _tests(module) if name not in before]
                _call_tests(module, fresh, runner)


def test_there_are_examples_to_run() -> None:
    names = {page.relative_to(ROOT).as_posix() for page in EXAMPLES}

    assert {"README.md", "docs/python.md", "docs/guides/quickstart.md"} <= names


def test_examples_import_the_package_by_the_name_that_users_install() -> None:
    ours = [
        f"{block.page}:{block.line}"
        for page, examples in EXAMPLES.items()
        for block in examples
        if page.name not in ("architecture.md", "your-first-queue.md")
        and re.search(r"^\s*(from|import) shared\b", block.text, re.MULTILINE)
    ]

    assert not ours, f"Import from `tidegate`: {ours}"


def test_few_examples_are_not_run_and_each_says_why() -> None:
    skipped = [
        block for examples in EXAMPLES.values() for block in examples if block.no_run is not None
    ]
    unexplained = [
        f"{block.page}:{block.line}"
        for block in skipped
        if len(block.no_run or "") < SHORTEST_REASON
    ]

    assert not unexplained, f"Write ```python no-run <reason> in these fences: {unexplained}"
    assert len(skipped) <= MOST_SKIPPED, "Examples that don't run rot: make them run, or drop them."


def test_a_page_with_an_await_outside_of_a_function_says_where_it_can_run() -> None:
    pages = {
        block.page
        for examples in EXAMPLES.values()
        for block in examples
        if block.compiled().co_flags & inspect.CO_COROUTINE
    }
    silent = [page for page in pages if "python -m asyncio" not in (ROOT / page).read_text("utf-8")]

    assert pages
    assert not silent, f"Python refuses a bare await; name `python -m asyncio` on {silent}"


def test_a_python_fence_is_spelt_so_that_it_runs() -> None:
    misspelt = [
        f"{block.page}:{block.line} ```{block.info}"
        for examples in EXAMPLES.values()
        for block in examples
        if block.info != "python" and block.no_run is None
    ]

    assert not misspelt, f"Write ```python, or ```python no-run <reason>: {misspelt}"


def test_no_python_hides_in_a_block_without_a_language() -> None:
    unmarked = [
        f"{block.page}:{block.line}"
        for page in PAGES
        for block in blocks(page)
        if not block.info
        and re.search(
            r"^(from \w|import \w|async def |def |class \w|@\w)", block.text, re.MULTILINE
        )
    ]

    assert not unmarked, f"Mark these blocks ```python: {unmarked}"


def test_the_runner_awaits_shares_names_and_counts_the_pages_lines(tmp_path: Path) -> None:
    page = ROOT / "docs" / "guides" / "quickstart.md"
    module = ModuleType("example")
    first = Block(str(page), 7, "python", "import asyncio\nawait asyncio.sleep(0)\nhere = 1\n")
    second = Block(str(page), 20, "python", "here += 1\nraise KeyError(here)\n")

    asyncio.run(_run(first, module))
    with pytest.raises(KeyError, match="2") as raised:
        asyncio.run(_run(second, module))

    assert raised.traceback[-1].lineno + 1 == 21


def test_a_failing_test_of_a_page_fails() -> None:
    module = ModuleType("example")
    block = Block("page", 1, "python", "async def test_it():\n    assert False\n")

    with asyncio.Runner() as runner:
        runner.run(_run(block, module))
        with pytest.raises(AssertionError):
            _call_tests(module, _tests(module), runner)
