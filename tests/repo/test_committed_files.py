"""Nothing in the repository ties it to one machine or one package index."""

from __future__ import annotations

import re
from pathlib import Path

# Spelt in parts: this file is committed too.
HOSTS = (
    "pypi" + ".org",
    "files." + "pythonhosted.org",
    "registry." + "npmjs.org",
    "registry." + "yarnpkg.com",
    "deb." + "debian.org",
)
MACHINE_PATH = re.compile(
    r"(?<![\w.\-/}>])/(?:work|root|opt/pypi|opt/wheels)/|/(?:home|Users)/\w+/"
)


def test_no_file_names_a_package_registry(texts: dict[str, str]) -> None:
    hits = [f"{name}: {host}" for name, text in texts.items() for host in HOSTS if host in text]

    assert not hits, f"Leave the index to the installing machine's own configuration: {hits}"


def test_no_file_names_a_path_of_the_machine_it_was_written_on(texts: dict[str, str]) -> None:
    hits = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]

    assert not hits, f"Name paths from the checkout's root or a temporary folder: {hits}"


def test_the_machine_path_pattern_catches_what_it_is_for() -> None:
    caught = ["cd " + "/work" + "/main", '"' + "/root" + '/.cache/x"', "/home" + "/ada/tidegate"]
    passed = ["/api/v1/work/items", "./work/main", "https://example.com/root/x", "docs/work/"]

    assert all(MACHINE_PATH.search(line) for line in caught)
    assert not any(MACHINE_PATH.search(line) for line in passed)


def test_no_secret_looking_file_is_committed(texts: dict[str, str]) -> None:
    secret = [
        name
        for name in texts
        if Path(name).name.startswith(".env") and not name.endswith(".example")
    ]

    assert not secret, f"Remove from git, and change what was in it: {secret}"


def test_relative_links_in_documents_lead_to_files(texts: dict[str, str], root: Path) -> None:
    link = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)[^)]*\)")
    pages = {name: text for name, text in texts.items() if name.endswith(".md")}
    broken = [
        f"{name} → {target}"
        for name, text in pages.items()
        for target in link.findall(re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL))
        if not (root / name).parent.joinpath(target).exists()
    ]

    assert pages, "The repository has no documents: write README.md."
    assert not broken, (
        f"These links lead nowhere; name the file from the page's own folder: {broken}"
    )
