package main

import (
	"crypto/sha1"
	"encoding/hex"
	"log"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Commands that a script may not call.
var noScript = map[string]bool{
	"EVAL": true, "EVALSHA": true, "EVAL_RO": true, "EVALSHA_RO": true, "SCRIPT": true, "FCALL": true, "FCALL_RO": true,
	"FUNCTION": true, "MULTI": true, "EXEC": true, "DISCARD": true, "WATCH": true, "UNWATCH": true, "SUBSCRIBE": true,
	"PSUBSCRIBE": true, "SSUBSCRIBE": true, "MONITOR": true, "AUTH": true, "HELLO": true, "RESET": true, "SELECT": true,
}

// The functions of the table `redis`.
func (in *Interpreter) library() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"call":         in.redisCall,
		"pcall":        in.redisPcall,
		"error_reply":  errorTable,
		"status_reply": statusTable,
		"sha1hex":      sha1hex,
		"log":          logLine,
		"setresp":      func(*lua.LState) int { return 0 },
	}
}

// The table `redis` as a read-only one, so that no script changes it for the next.
func (in *Interpreter) redis() *lua.LTable {
	functions := in.state.SetFuncs(in.state.NewTable(), in.library())
	for level, name := range []string{"LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"} {
		functions.RawSetString(name, lua.LNumber(level))
	}
	guard := in.state.NewTable()
	guard.RawSetString("__index", functions)
	guard.RawSetString("__newindex", in.state.NewFunction(readOnly))
	table := in.state.NewTable()
	table.Metatable = guard
	return table
}

func readOnly(state *lua.LState) int {
	state.RaiseError("Attempt to modify a readonly table")
	return 0
}

func (in *Interpreter) redisCall(state *lua.LState) int {
	reply := in.command(state)
	value := toLua(state, reply)
	if reply.kind == '-' {
		state.Error(value, 1)
	}
	state.Push(value)
	return 1
}

func (in *Interpreter) redisPcall(state *lua.LState) int {
	state.Push(toLua(state, in.command(state)))
	return 1
}

func (in *Interpreter) command(state *lua.LState) Reply {
	count := state.GetTop()
	if count == 0 {
		return errorReply("ERR Please specify at least one argument for this redis lib call")
	}
	words := make([]string, count)
	for i := range words {
		word, ok := argument(state.Get(i + 1))
		if !ok {
			return errorReply("ERR Lua redis lib command arguments must be strings or integers")
		}
		words[i] = word
	}
	if noScript[strings.ToUpper(words[0])] {
		return errorReply("ERR This Redis command is not allowed from script")
	}
	if in.lost != nil {
		return errorReply("ERR " + in.lost.Error())
	}
	reply, err := in.backend.execute(words)
	if err != nil {
		in.lost = err
		return errorReply("ERR " + err.Error())
	}
	return inScript(reply)
}

// Redis checks name and arity of a script's command itself and words these two errors differently.
func inScript(reply Reply) Reply {
	if reply.kind == '-' && strings.HasPrefix(reply.text, "ERR unknown command") {
		return errorReply("ERR Unknown Redis command called from script")
	}
	if reply.kind == '-' && strings.HasPrefix(reply.text, "ERR wrong number of arguments for") {
		return errorReply("ERR Wrong number of args calling Redis command from script")
	}
	return reply
}

// Redis passes numbers on with 17 digits.
func argument(value lua.LValue) (string, bool) {
	switch value := value.(type) {
	case lua.LString:
		return string(value), true
	case lua.LNumber:
		number := float64(value)
		if number == math.Trunc(number) && math.Abs(number) < 1e17 {
			return strconv.FormatInt(int64(number), 10), true
		}
		return strconv.FormatFloat(number, 'g', 17, 64), true
	}
	return "", false
}

// A table with one field, made of the one argument, which must be a text.
func singleField(state *lua.LState, field string, valueOf func(string) string) int {
	table := state.NewTable()
	if text, ok := state.Get(1).(lua.LString); ok && state.GetTop() == 1 {
		table.RawSetString(field, lua.LString(valueOf(string(text))))
	} else {
		table.RawSetString("err", lua.LString("ERR wrong number or type of arguments"))
	}
	state.Push(table)
	return 1
}

func errorTable(state *lua.LState) int { return singleField(state, "err", withCode) }

func statusTable(state *lua.LState) int {
	return singleField(state, "ok", func(text string) string { return text })
}

// An error of one word, or none, gets the code ERR, as in Redis 7.
func withCode(text string) string {
	text = strings.TrimPrefix(text, "-")
	if strings.Contains(text, " ") {
		return text
	}
	return "ERR " + text
}

func sha1hex(state *lua.LState) int {
	if state.GetTop() != 1 {
		state.RaiseError("wrong number of arguments")
	}
	sum := sha1.Sum([]byte(state.CheckString(1)))
	state.Push(lua.LString(hex.EncodeToString(sum[:])))
	return 1
}

func logLine(state *lua.LState) int {
	words := []string{}
	for i := 2; i <= state.GetTop(); i++ {
		words = append(words, state.Get(i).String())
	}
	log.Print(strings.Join(words, " "))
	return 0
}
