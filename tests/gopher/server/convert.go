package main

import lua "github.com/yuin/gopher-lua"

// A reply as a script sees it: null is false, a status and an error are tables.
func toLua(state *lua.LState, reply Reply) lua.LValue {
	switch {
	case reply.null:
		return lua.LFalse
	case reply.kind == ':':
		return lua.LNumber(reply.number)
	case reply.kind == '$':
		return lua.LString(reply.text)
	}
	table := state.CreateTable(len(reply.items), 0)
	switch reply.kind {
	case '+':
		table.RawSetString("ok", lua.LString(reply.text))
	case '-':
		table.RawSetString("err", lua.LString(reply.text))
	default:
		for _, item := range reply.items {
			table.Append(toLua(state, item))
		}
	}
	return table
}

// What a script returned as a reply: numbers lose their fraction, true is 1, false and nil are null, an array ends at
// its first nil.
func fromLua(value lua.LValue) Reply {
	switch value := value.(type) {
	case lua.LString:
		return bulkReply(string(value))
	case lua.LNumber:
		return Reply{kind: ':', number: int64(value)}
	case lua.LBool:
		if bool(value) {
			return Reply{kind: ':', number: 1}
		}
	case *lua.LTable:
		return tableReply(value)
	}
	return nullReply()
}

func tableReply(table *lua.LTable) Reply {
	if text, ok := table.RawGetString("err").(lua.LString); ok {
		return errorReply(string(text))
	}
	if text, ok := table.RawGetString("ok").(lua.LString); ok {
		return statusReply(string(text))
	}
	reply := Reply{kind: '*'}
	for i := 1; ; i++ {
		item := table.RawGetInt(i)
		if item == lua.LNil {
			return reply
		}
		reply.items = append(reply.items, fromLua(item))
	}
}
