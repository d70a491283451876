package main

import (
	"bufio"
	"log"
	"net"
	"strings"
)

// Commands that the real server would run in its own Lua, or that this server can't pass on.
var refused = map[string]bool{
	"EVAL_RO": true, "EVALSHA_RO": true, "FCALL": true, "FCALL_RO": true, "FUNCTION": true,
	"SUBSCRIBE": true, "PSUBSCRIBE": true, "SSUBSCRIBE": true, "MONITOR": true,
}

// Client is one connection to this server. It has a connection of its own to the real server, so
// that the state of a connection (MULTI) is the client's own.
type Client struct {
	backend *Backend
	scripts *Scripts
	multi   bool
}

func serve(connection net.Conn, path string, scripts *Scripts) {
	defer connection.Close()
	backend, err := dial(path)
	if err != nil {
		log.Print(err)
		return
	}
	defer backend.close()
	client := &Client{backend: backend, scripts: scripts}
	from, to := bufio.NewReaderSize(connection, 1<<16), bufio.NewWriterSize(connection, 1<<16)
	for {
		words, err := readCommand(from)
		if err != nil {
			return
		}
		if len(words) == 0 {
			continue
		}
		reply, err := client.execute(words)
		if err != nil {
			log.Print(err)
			return
		}
		writeReply(to, reply)
		if from.Buffered() == 0 && to.Flush() != nil {
			return
		}
	}
}

func (client *Client) execute(words []string) (Reply, error) {
	name := strings.ToUpper(words[0])
	switch {
	case refused[name]:
		return errorReply("ERR the GopherLua server of these tests does not know " + name), nil
	case name == "EVAL" || name == "EVALSHA" || name == "SCRIPT":
		if client.multi {
			return errorReply("ERR the GopherLua server of these tests runs no scripts in MULTI"), nil
		}
		return client.scripts.execute(name, words)
	}
	return client.forward(name, words)
}

// Commands pass while no script runs.
func (client *Client) forward(name string, words []string) (Reply, error) {
	client.scripts.running.RLock()
	defer client.scripts.running.RUnlock()
	reply, err := client.backend.execute(words)
	switch {
	case name == "MULTI" && reply.kind == '+':
		client.multi = true
	case name == "EXEC" || name == "DISCARD" || name == "RESET":
		client.multi = false
	}
	return reply, err
}
