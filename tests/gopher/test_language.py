"""What our scripts use of Lua is the same in GopherLua; what is not, they must avoid."""

from __future__ import annotations

import pytest

from tests.gopher.conftest import Run

SAME = [
    # numbers as text
    *("string.format('%d', 3.7)", "string.format('%d', -3.7)", "string.format('%d', 2^53-1)"),
    *("string.format('%.0f', 2^53-1)", "string.format('%.0f', 0.5)", "string.format('%.0f', 2.5)"),
    *("string.format('~%s-%s-%d-%d', 'a', 'b', 1, 2)", "string.format('%s|%5d|%%', 'a', 7)"),
    *("5 .. ''", "1.5 .. ''", "tostring(12345678901234)", "'10' + 5", "10 == '10'"),
    # text as numbers
    *("tonumber('0x10')", "tonumber(' 5 ')", "tonumber('')", "tonumber('-')", "tonumber('5.')"),
    *("tonumber('007')", "tonumber('+5')", "tonumber('5x')", "tonumber('1_000')", "tonumber(nil)"),
    *("tonumber(false)", "tonumber('1700000000000')", "tonumber('9007199254740991')"),
    # patterns
    "{string.match('w 1 2\\nbody', '^(%a) (%d+) ([hnl]?%d) *\\n()')}",
    "{string.match('id 1 owner 2 1', '^(%S+) (%d+) %S+ %d+ (%d)$')}",
    "{string.match('x 1 o 2 0 d 5', '^((%S+) (%d+) (%S+) (%d+) %d) (%l) (%d+)$')}",
    "{string.match('no', '^(%S+) (%d+)$')}",
    "string.match('\\195\\169\\255', '^%S+$')",
    "#string.match(string.rep('x', 100000), '^(%S+)$')",
    *("{string.find('a.b', '.', 1, true)}", "{string.find('ab', 'c', 1, true)}"),
    *("string.sub('hello', -1)", "string.sub('hello', 3, nil)", "string.sub('hello', 9)"),
    *("string.rep('1', 3)", "string.rep('x', 0)", "string.upper('d')", "string.lower('D')"),
    "#'\\0\\1'",
    "(function() for e in string.gmatch('a;b;', '[^;]+;') do return e end end)()",
    # tables
    *("#{1, nil, 3}", "#{nil, nil, 3}", "#{1, 2, nil}", "{unpack({1, 2, 3}, 2, 3)}"),
    *("select('#', unpack({1, nil, 3}))", "select('#', unpack({}, 1, 3))", "table.concat({})"),
    *("table.concat({1, 'b'}, ' ')", "table.concat({'a', 'b', 'c'}, ' ', 2, 3)"),
    "(function() local t = {'b', 'a', 'B', '\\200', '10', '9'} table.sort(t) return t end)()",
    "(function() local t = {} table.insert(t, 1, 'a') table.insert(t, 1, 'b') return t end)()",
    "(function() local n = 0 for _, v in ipairs({1, 2, nil, 4}) do n = n + v end return n end)()",
    "(function() local n = 0 for _, v in pairs({a=1, b=2, 3}) do n = n + v end return n end)()",
    "(function() local f = function(...) return select('#', ...) end return f(nil, nil) end)()",
    # arithmetic
    *("math.floor(-1.5)", "math.ceil(1.2)", "-7 % 3", "2^53 % 1000", "math.floor((2^53-1) / 1000)"),
    *("math.max(1, 3, 2)", "math.min(3, 1)", "9007199254740991 == 2^53-1"),
    # errors
    "(function() local ok, e = pcall(function() error('deep') end) return e end)()",
]  # fmt: skip

DIFFERENT = [
    ("tostring(2^53-1)", "9.007199254741e+15", "9007199254740991"),
    ("1e15 .. ''", "1e+15", "1000000000000000"),
    ("table.concat({2^53-1})", "9.007199254741e+15", "9007199254740991"),
    ("string.format('%.0f', '42')", "42", "%!f(string=)"),
    ("string.format('%s', nil)", "error: ", "nil"),
    ("tonumber('1e3')", 1000, None),
    ("string.upper('\\195\\169')", "\u00e9", "\u00c9"),
    ("string.lower('A\\200')", "a\udcc8", "a\ufffd"),
    ("string.find('abc', 'c', 10, true)", None, "error: "),
    ("type(cjson)", "table", "error: "),
]


@pytest.mark.parametrize("expression", SAME)
def test_an_expression_that_scripts_use_has_the_same_value(
    gopherlua: Run, real: Run, expression: str
) -> None:
    value = gopherlua("EVAL", f"return {expression}", 0)

    assert not str(value).startswith("error: ")
    assert value == real("EVAL", f"return {expression}", 0)


@pytest.mark.parametrize(("expression", "in_redis", "in_gopherlua"), DIFFERENT)
def test_an_expression_that_scripts_must_avoid_differs(
    gopherlua: Run, real: Run, expression: str, in_redis: object, in_gopherlua: object
) -> None:
    for run, wanted in ((real, in_redis), (gopherlua, in_gopherlua)):
        value = run("EVAL", f"return {expression}", 0)
        assert value == wanted or str(value).startswith(str(wanted) or "error: no")


def test_pairs_goes_by_the_order_of_the_first_assignments(gopherlua: Run) -> None:
    script = """
        local names, out = {}, {}
        for i = 20, 1, -1 do names['n' .. i] = i end
        for name in pairs(names) do out[#out + 1] = name end
        return out
    """

    assert gopherlua("EVAL", script, 0) == [f"n{i}" for i in range(20, 0, -1)]


@pytest.mark.parametrize("name", ["os", "io", "debug", "package", "require", "dofile", "print"])
def test_the_machine_is_out_of_reach(gopherlua: Run, name: str) -> None:
    assert gopherlua("EVAL", f"return {name}", 0).startswith("error: ERR user_script:1: ")
