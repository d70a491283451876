package main

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Libraries that Redis has too. os, io, debug and package stay closed.
var libraries = []struct {
	name string
	open lua.LGFunction
}{
	{lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable},
	{lua.StringLibName, lua.OpenString}, {lua.MathLibName, lua.OpenMath},
	{lua.CoroutineLibName, lua.OpenCoroutine},
}

// Functions of the base library that Redis has not.
var removed = []string{"dofile", "loadfile", "print", "_printregs", "module", "require", "getfenv", "setfenv", "newproxy"}

// Interpreter is one GopherLua state with GopherLua's default sizes of registry and call stack: those are what is tried.
type Interpreter struct {
	state     *lua.LState
	functions map[string]*lua.LFunction
	handler   *lua.LFunction
	backend   *Backend
	lost      error // the connection to the real server has failed
	damaged   bool  // a Go panic ended a script
}

func newInterpreter(backend *Backend) *Interpreter {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	in := &Interpreter{state: state, functions: map[string]*lua.LFunction{}, backend: backend}
	for _, library := range libraries {
		state.Push(state.NewFunction(library.open))
		state.Push(lua.LString(library.name))
		state.Call(1, 0)
	}
	globals := state.Get(lua.GlobalsIndex).(*lua.LTable)
	for _, name := range removed {
		globals.RawSetString(name, lua.LNil)
	}
	globals.RawSetString("redis", in.redis())
	protect(state, globals)
	in.handler = state.NewFunction(locate)
	return in
}

// As in Redis: a script can neither create a global variable nor read one that does not exist.
func protect(state *lua.LState, globals *lua.LTable) {
	guard := state.NewTable()
	guard.RawSetString("__index", state.NewFunction(func(state *lua.LState) int {
		state.RaiseError("Script attempted to access nonexistent global variable '%s'", state.Get(2).String())
		return 0
	}))
	guard.RawSetString("__newindex", state.NewFunction(readOnly))
	globals.Metatable = guard
}

func (in *Interpreter) compile(digest, text string) error {
	if strings.HasPrefix(text, "#!") {
		text = "--" + text
	}
	function, err := in.state.Load(strings.NewReader(text), "user_script")
	if err != nil {
		return err
	}
	in.functions[digest] = function
	return nil
}

func (in *Interpreter) forget() { in.functions = map[string]*lua.LFunction{} }

func (in *Interpreter) run(digest, text string, keys, args []string) Reply {
	if in.functions[digest] == nil {
		if err := in.compile(digest, text); err != nil {
			return errorReply("ERR " + err.Error())
		}
	}
	globals := in.state.Get(lua.GlobalsIndex).(*lua.LTable)
	globals.RawSetString("KEYS", in.words(keys))
	globals.RawSetString("ARGV", in.words(args))
	result, err := in.call(in.functions[digest])
	if err != nil {
		return in.raised(digest, err)
	}
	return fromLua(result)
}

// Calls a script under the handler of errors. With a full registry not even the handler fits: that panics here.
func (in *Interpreter) call(function *lua.LFunction) (result lua.LValue, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			in.damaged = true
			err = fmt.Errorf("%v", panicked)
		}
	}()
	in.state.SetTop(0)
	in.state.Push(function)
	if err := in.state.PCall(0, 1, in.handler); err != nil {
		return nil, err
	}
	result = in.state.Get(-1)
	in.state.SetTop(0)
	return result, nil
}

func (in *Interpreter) words(words []string) *lua.LTable {
	table := in.state.CreateTable(len(words), 0)
	for _, word := range words {
		table.Append(lua.LString(word))
	}
	return table
}

// What a script raised, worded as Redis 7 does: the error, the script and the line.
func (in *Interpreter) raised(digest string, err error) Reply {
	raised, ok := err.(*lua.ApiError)
	if !ok {
		return errorReply("ERR " + err.Error())
	}
	table, ok := raised.Object.(*lua.LTable)
	if !ok { // the handler itself did not run
		in.damaged = true
		return errorReply(fmt.Sprintf("ERR Error running script %s, %s", digest, raised.Object.String()))
	}
	text := table.RawGetString("err").String()
	if strings.Contains(text, "runtime error") {
		in.damaged = true
	}
	if line := table.RawGetString("line"); line != lua.LNil {
		text += fmt.Sprintf(" script: %s, on @user_script:%s.", digest, line.String())
	}
	return errorReply(text)
}

// The handler of errors: makes a table of a text, and adds the script's line.
func locate(state *lua.LState) int {
	raised, ok := state.Get(1).(*lua.LTable)
	if !ok {
		raised = state.NewTable()
		raised.RawSetString("err", lua.LString("ERR "+state.Get(1).String()))
	}
	for level := 1; level < 8; level++ {
		place := strings.Split(state.Where(level), ":")
		if len(place) > 1 && place[0] == "user_script" {
			raised.RawSetString("line", lua.LString(place[1]))
			break
		}
	}
	state.Push(raised)
	return 1
}
